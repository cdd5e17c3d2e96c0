// Package xdm is an example: people, experience events and B2B in the data model of the reference
// product, as they come from its streaming inlet. It has the configuration and the Avro schemas
// that a user would write, with every shape of that model that Avro cannot carry expressed as
// docs/formats.md says.
//
//	topic               dataset             entity class  class   of the data model
//	xdm.people          people              profile       record  individual profile
//	xdm.events          events, media,      profile       event   experience event, by field
//	                    weather, activities                       groups
//	xdm.accounts        accounts            account       record  account
//	xdm.account-events  account_events      account       event   account event
//	xdm.opportunities   opportunities       opportunity   record  opportunity
//	xdm.relations       account_people and  relation      record  relations of the above, lists,
//	                    six more                                  account intents
//
// The tests run the public examples of the data model through it, all of them: what becomes of
// each, and why, is in testdata/examples.
package xdm
