package store

import (
	"errors"
	"strings"
	"syscall"
)

// isLockError recognises what the engine returns when the directory's lock is held. On most systems
// it is the error of fcntl; within one process it is a text of the engine's.
func isLockError(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) ||
		strings.Contains(err.Error(), "lock held by current process")
}
