package simlog

import "strconv"

// Code is an error code of the Kafka protocol.
type Code int16

// The codes that this model gives, with their numbers in the protocol.
const (
	OffsetOutOfRange         Code = 1
	UnknownTopicOrPartition  Code = 3
	RequestTimedOut          Code = 7
	MessageTooLarge          Code = 10
	OutOfOrderSequence       Code = 45
	InvalidProducerEpoch     Code = 47
	InvalidTxnState          Code = 48
	InvalidProducerIDMapping Code = 49
	ConcurrentTransactions   Code = 51
	ProducerFenced           Code = 90
)

// Error implements error by the code's name in the protocol.
func (c Code) Error() string {
	switch c {
	case OffsetOutOfRange:
		return "OFFSET_OUT_OF_RANGE"
	case UnknownTopicOrPartition:
		return "UNKNOWN_TOPIC_OR_PARTITION"
	case RequestTimedOut:
		return "REQUEST_TIMED_OUT"
	case MessageTooLarge:
		return "MESSAGE_TOO_LARGE"
	case OutOfOrderSequence:
		return "OUT_OF_ORDER_SEQUENCE_NUMBER"
	case InvalidProducerEpoch:
		return "INVALID_PRODUCER_EPOCH"
	case InvalidTxnState:
		return "INVALID_TXN_STATE"
	case InvalidProducerIDMapping:
		return "INVALID_PRODUCER_ID_MAPPING"
	case ConcurrentTransactions:
		return "CONCURRENT_TRANSACTIONS"
	case ProducerFenced:
		return "PRODUCER_FENCED"
	}
	return "error code " + strconv.Itoa(int(c))
}
