package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"selfsame/pipeline"
	"selfsame/store"
)

// backupPath is where backups are asked for.
const backupPath = "/v1/backup"

// backupName is how a backup is named that has been given no name: the time, in UTC.
const backupName = "20060102T150405Z"

// backupOrder is the body of a request for a backup.
type backupOrder struct {
	Name string `json:"name,omitempty"`
}

// backupAnswer is the body of POST /v1/backup.
type backupAnswer struct {
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	Bytes   int64     `json:"bytes"`
	Version uint64    `json:"version"`
	Commit  uint64    `json:"commit"`
	Created time.Time `json:"created"`
	Seconds float64   `json:"seconds"` // that it took
}

// postBackup has a backup made, and answers once it is whole and on disk.
func (h *handler) postBackup(w http.ResponseWriter, r *http.Request) {
	body, ok := readJSON(w, r, bodyBytes)
	if !ok {
		return
	}
	start := time.Now()
	name, err := orderedName(body, start)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	h.takeTime(w)
	backup, err := h.backend.Backup(r.Context(), name)
	if err != nil {
		h.refuseBackup(w, err)
		return
	}
	writeJSON(w, http.StatusOK, backupAnswer{Name: name, Path: h.backend.BackupPath(name),
		Bytes: backup.Bytes(), Version: backup.Version, Commit: backup.Commit(),
		Created: backup.Created, Seconds: time.Since(start).Seconds()})
}

// orderedName reads the name that a backup is to have.
func orderedName(body []byte, now time.Time) (string, error) {
	var order *backupOrder
	if err := json.Unmarshal(body, &order); err != nil || order == nil {
		return "", errors.New(`the body is not a JSON object such as {"name":"before-upgrade"}`)
	}
	if order.Name == "" {
		return now.UTC().Format(backupName), nil
	}
	return order.Name, store.CheckBackupName(order.Name)
}

func (h *handler) refuseBackup(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, store.ErrBackupExists):
		writeError(w, http.StatusConflict, store.ErrBackupExists.Error())
	case errors.Is(err, pipeline.ErrBackupRunning):
		writeError(w, http.StatusConflict, pipeline.ErrBackupRunning.Error())
	case errors.Is(err, context.Canceled): // by the client, which has gone
	case errors.Is(err, pipeline.ErrNotApplying):
		writeError(w, http.StatusServiceUnavailable, pipeline.ErrNotApplying.Error())
	default:
		h.log.Error("making a backup", "error", err)
		writeError(w, http.StatusInternalServerError,
			"no backup was made; the daemon's log says why")
	}
}
