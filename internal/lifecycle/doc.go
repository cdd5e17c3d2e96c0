// Package lifecycle runs the named goroutines of a daemon and brings them to an end together.
//
// The commands in cmd build one [Group], start every long-lived task in it, and wait. A task is a
// function that runs until its context ends; it is not started again.
//
// Two contexts tell a task how to end. The soft one, which it is given, asks: take in no more,
// finish what is under way, return. The hard one, from [Group.Hard], is for that finishing work: it
// outlives the soft one and cuts off whoever takes too long.
//
//	Stop, a first error, or the parent's end        3/4 of the deadline         the deadline
//	------------------|-------------------------------------|------------------------|
//	                  soft context ends                     hard context ends        ErrDeadline
//
// Guarantees:
//  1. The first task to fail ends the soft context of all; its error is the context's cause.
//  2. [Group.Wait] returns when all tasks have returned, or at the deadline, whichever comes first.
//  3. Its error joins the errors of all tasks that failed, in order, each with the task's name.
//     That a task returned its context's end during an orderly stop is no failure; once the hard
//     context has ended it is one, because something was left undone.
//  4. At the deadline the stacks of all goroutines, with task names, are written out, and the
//     error is [ErrDeadline] and names who is still running. The caller has to exit, because
//     nothing can end them.
//  5. Goroutines carry their task's name as the pprof label "task", and so do those they start.
package lifecycle
