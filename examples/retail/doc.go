// Package retail is an example: a shop with a CRM, a loyalty programme, a web site and tills. It
// has the configuration and the Avro schemas that a user would write, and a generator for the
// traffic. The demo, the development mode, benchmarks and tests play it into a broker.
//
//	topic         dataset   class    format   key               identities
//	shop.crm      crm       record   JSON     customer number   crm, email, phone
//	shop.loyalty  loyalty   record   JSON     loyalty number    loyalty, email
//	shop.events   web       event    JSON     cookie or none    crm, email, cookie
//	shop.events   till      event    Avro     store             loyalty, phone
//
// The traffic has what real traffic has. People browse before they sign in, on one to four devices,
// on the tablet of their household and on kiosks in stores that everybody uses. They change their
// e-mail address, withdraw phone numbers, join the loyalty programme, buy, and some leave. Events
// come late, by seconds or days, and twice; CRM changes overtake each other; cookies are
// "undefined". Some two messages in a hundred are wrong, in each of the ways that a record can be
// rejected for.
//
// Guarantees:
//  1. The same seed gives the same messages, byte for byte, and a person's life does not depend on
//     how many people there are.
//  2. Messages come in the order of their Kafka timestamps, which are whole milliseconds.
//  3. [Message.Expect] says what has to become of each message.
//  4. No name, address or number is anybody's: e-mail domains and telephone numbers are from the
//     ranges reserved for fiction.
package retail
