package api

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"selfsame/pipeline"
)

// status is the body of GET /v1/status.
type status struct {
	Version     string            `json:"version"`
	Ready       bool              `json:"ready"`
	Reason      string            `json:"reason,omitempty"` // why it is not ready
	OutboxDepth int               `json:"outbox_depth"`
	Inputs      []inputStatus     `json:"inputs"`
	Partitions  []partitionStatus `json:"partitions"`
	Datasets    []datasetStatus   `json:"datasets"`
	Topics      []topicStatus     `json:"topics"`
}

type partitionStatus struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Position  *int64 `json:"position"` // next offset to consume; null: nothing consumed yet
	Lag       *int64 `json:"lag"`      // null: nothing fetched yet
}

type datasetStatus struct {
	Name       string                     `json:"name"`
	Topic      string                     `json:"topic,omitempty"`
	Entity     string                     `json:"entity,omitempty"`
	Class      string                     `json:"class,omitempty"`
	Retired    bool                       `json:"retired,omitempty"` // its topic is not read
	Consumed   uint64                     `json:"consumed"`
	Accepted   uint64                     `json:"accepted"`
	Duplicate  uint64                     `json:"duplicate"`
	Superseded uint64                     `json:"superseded"`
	Rejected   map[pipeline.Reason]uint64 `json:"rejected"`
}

type topicStatus struct {
	Topic   string `json:"topic"`
	Emitted uint64 `json:"emitted"`
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request) {
	f := h.backend.Stats.Figures()
	s := status{
		Version: h.backend.Version, Ready: true, OutboxDepth: h.backend.Store.OutboxDepth(),
		Inputs:     inputStatuses(f),
		Partitions: partitionStatuses(f), Datasets: datasetStatuses(f, h.backend.Model),
		Topics: topicStatuses(f),
	}
	if err := h.backend.Ready(); err != nil {
		s.Ready, s.Reason = false, err.Error()
	}
	writeJSON(w, http.StatusOK, s)
}

func partitionStatuses(f pipeline.Figures) []partitionStatus {
	all := []partitionStatus{}
	for _, tp := range partitionsOf(f) {
		p := partitionStatus{Topic: tp.Topic, Partition: tp.Partition}
		if position, ok := f.Positions[tp]; ok {
			p.Position = &position
		}
		if lag, ok := f.Lag[tp]; ok {
			p.Lag = &lag
		}
		all = append(all, p)
	}
	return all
}

// partitionsOf lists the partitions that anything is known about, in order.
func partitionsOf(f pipeline.Figures) []pipeline.TopicPartition {
	all := slices.AppendSeq(slices.Collect(maps.Keys(f.Positions)), maps.Keys(f.Lag))
	slices.SortFunc(all, func(a, b pipeline.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return slices.Compact(all)
}

func datasetStatuses(f pipeline.Figures, model *pipeline.Model) []datasetStatus {
	all := []datasetStatus{}
	for _, name := range slices.Sorted(maps.Keys(f.Datasets)) {
		d := f.Datasets[name]
		s := datasetStatus{Name: datasetName(name), Consumed: d.Consumed,
			Accepted: d.Accepted, Duplicate: d.Duplicate, Superseded: d.Superseded,
			Rejected: rejections(d)}
		if ds := model.Dataset(name); ds != nil {
			s.Topic, s.Entity, s.Class = ds.Topic, ds.Entity, className(ds.Class)
			s.Retired = ds.Retired
		}
		if name == pipeline.ControlName {
			s.Topic = model.ControlTopic
		}
		all = append(all, s)
	}
	return all
}

// className is what configuration calls a class of dataset.
func className(c pipeline.DatasetClass) string {
	if c == pipeline.ClassEvent {
		return "event"
	}
	return "record"
}

func topicStatuses(f pipeline.Figures) []topicStatus {
	all := []topicStatus{}
	for _, topic := range slices.Sorted(maps.Keys(f.Emitted)) {
		all = append(all, topicStatus{Topic: topic, Emitted: f.Emitted[topic]})
	}
	return all
}

// rejections are the counts of all reasons, those that never occurred too.
func rejections(d pipeline.DatasetStats) map[pipeline.Reason]uint64 {
	all := map[pipeline.Reason]uint64{}
	for _, reason := range pipeline.Reasons() {
		all[reason] = 0
	}
	maps.Copy(all, d.Rejected)
	return all
}

// noDataset stands for records that belong to no dataset. It is not a possible name of one.
const noDataset = "(none)"

func datasetName(name string) string { return cmp.Or(name, noDataset) }
