// Package people is the small example that the pages docs/upserts.md, docs/deletes.md and
// docs/policies.md tell their stories in: customers of a CRM, members of a loyalty programme,
// visits to a web site.
//
// The tests play every story of these pages, so that what the pages say is what the program does.
// A story is a fenced block of the pages, each in an empty store:
//
//	DATASET [HEADER=VALUE ...] {JSON} [OUTCOME]   a record, and what becomes of it, else accepted
//	DATASET KEY null [OUTCOME]                    a tombstone
//	control {JSON} [OUTCOME]                      a control record
//	= IDENTITY [policy=NAME] {JSON}               the attributes of the merged profile, or "nothing"
//	> IDENTITY {JSON}                             what the profile topic got since last looked at,
//	> IDENTITY ends [in IDENTITY]                 record by record, or "> nothing"
//	same IDENTITY IDENTITY ...                    these and no others are in one profile
//	audit {JSON}                                  the next audit record, those fields of it
//	? IDENTITY [policy=NAME] PATH                 why: the next lines are what was said of it,
//	  VALUE REASON DATASET IDENTITY               first what stands
//	preview IDENTITY {JSON}                       what another policy would change:
//	  PATH OLD -> NEW                             attribute by attribute, "absent" for none
//	wait DURATION                                 time passes; 30d is 30 days
//
// Where the fence says "story in any order", the records are also played in every order, twice.
//
// A record is sent a second after the one before it. A fenced block of YAML before a story is put
// into the configuration; one that begins with the comment "# then" restarts the daemon of the
// story before it.
package people
