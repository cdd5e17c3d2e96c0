package config

// The structs below mirror the file. reference.go documents every key, and a test holds the two
// together.

type file struct {
	DataDir     string             `yaml:"data_dir"`
	IDKey       Secret             `yaml:"id_key"`
	Kafka       kafkaFile          `yaml:"kafka"`
	Registry    registryFile       `yaml:"registry"`
	HTTP        httpFile           `yaml:"http"`
	Log         logFile            `yaml:"log"`
	Store       storeFile          `yaml:"store"`
	Pipeline    pipelineFile       `yaml:"pipeline"`
	Limits      limitsFile         `yaml:"limits"`
	Entities    map[string]entity  `yaml:"entities"`
	DeadLetters topicFile          `yaml:"dead_letters"`
	Control     controlFile        `yaml:"control"`
	Output      outputFile         `yaml:"output"`
	Datasets    map[string]dataset `yaml:"datasets"`
}

type kafkaFile struct {
	Brokers         []string `yaml:"brokers"`
	ClientID        string   `yaml:"client_id"`
	Group           string   `yaml:"group"`
	TransactionalID string   `yaml:"transactional_id"`
	Compression     string   `yaml:"compression"`
	FetchMaxBytes   Bytes    `yaml:"fetch_max_bytes"`
	FetchMaxWait    Duration `yaml:"fetch_max_wait"`
	DialTimeout     Duration `yaml:"dial_timeout"`
	RequestTimeout  Duration `yaml:"request_timeout"`
	TLS             tlsFile  `yaml:"tls"`
	SASL            saslFile `yaml:"sasl"`
}

type tlsFile struct {
	Enabled            bool   `yaml:"enabled"`
	CAFile             string `yaml:"ca_file"`
	CertFile           string `yaml:"cert_file"`
	KeyFile            string `yaml:"key_file"`
	ServerName         string `yaml:"server_name"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify"`
}

type saslFile struct {
	Mechanism string `yaml:"mechanism"`
	Username  string `yaml:"username"`
	Password  Secret `yaml:"password"`
}

type registryFile struct {
	URL            string   `yaml:"url"`
	Username       string   `yaml:"username"`
	Password       Secret   `yaml:"password"`
	Token          Secret   `yaml:"token"`
	CAFile         string   `yaml:"ca_file"`
	CertFile       string   `yaml:"cert_file"`
	KeyFile        string   `yaml:"key_file"`
	RequestTimeout Duration `yaml:"request_timeout"`
	UnknownRetry   Duration `yaml:"unknown_retry"`
	AutoRegister   bool     `yaml:"auto_register"`
}

type httpFile struct {
	Listen string `yaml:"listen"`
	Token  Secret `yaml:"token"`
	Pprof  bool   `yaml:"pprof"`
}

type logFile struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

type storeFile struct {
	Cache        Bytes `yaml:"cache"`
	Memtable     Bytes `yaml:"memtable"`
	MaxOpenFiles int   `yaml:"max_open_files"`
}

type pipelineFile struct {
	BatchRecords    int      `yaml:"batch_records"`
	BatchDelay      Duration `yaml:"batch_delay"`
	ShutdownTimeout Duration `yaml:"shutdown_timeout"`
	OffsetsInterval Duration `yaml:"offsets_interval"`

	MetadataInterval Duration `yaml:"metadata_interval"`
}

type limitsFile struct {
	RecordBytes       Bytes `yaml:"record_bytes"`
	LeavesPerFragment int   `yaml:"leaves_per_fragment"`
	ArrayEdits        int   `yaml:"array_edits"`
	EventIDBytes      Bytes `yaml:"event_id_bytes"`
	OutputBytes       Bytes `yaml:"output_bytes"`
}

type entity struct {
	Namespaces    []namespace       `yaml:"namespaces"`
	MaxIdentities *int              `yaml:"max_identities"`
	Pseudonymous  *Duration         `yaml:"pseudonymous_retention"`
	Policies      map[string]policy `yaml:"policies"`
	Topics        entityTopics      `yaml:"topics"`

	Computed map[string]computedFile `yaml:"computed"`
}

// computedFile mirrors pipeline.ComputedSpec.
type computedFile struct {
	Dataset     string   `yaml:"dataset"`
	Datasets    []string `yaml:"datasets"`
	Function    string   `yaml:"function"`
	Value       *string  `yaml:"value"`
	Filter      *string  `yaml:"filter"`
	Window      string   `yaml:"window"`
	Zone        *string  `yaml:"zone"`
	WeekStart   *string  `yaml:"week_start"`
	N           *int     `yaml:"n"`
	MaxDistinct *int     `yaml:"max_distinct"`
}

type namespace struct {
	Name            string   `yaml:"name"`
	Type            string   `yaml:"type"`
	Unique          bool     `yaml:"unique"`
	Limit           *int     `yaml:"limit"`
	Normalize       []string `yaml:"normalize"`
	Region          string   `yaml:"region"`
	Blocked         []string `yaml:"blocked"`
	BlockedPatterns []string `yaml:"blocked_patterns"`
	DefaultBlocked  *bool    `yaml:"default_blocked"`

	HubDegree HubDegree `yaml:"hub_degree"`
	HubExempt []string  `yaml:"hub_exempt"`
	Contested string    `yaml:"contested"`
}

type policy struct {
	Strategy   string              `yaml:"strategy"`
	Precedence []string            `yaml:"precedence"`
	Overrides  map[string]override `yaml:"overrides"`
	Stitching  string              `yaml:"stitching"`
	Topic      string              `yaml:"topic"`
	Changes    string              `yaml:"changes"`
	Default    bool                `yaml:"default"`
	Format     string              `yaml:"format"`
	Deprecated string              `yaml:"deprecated"`
}

type override struct {
	Strategy   string   `yaml:"strategy"`
	Precedence []string `yaml:"precedence"`
	Union      bool     `yaml:"union"`
}

type entityTopics struct {
	Identity   string `yaml:"identity"`
	Assignment string `yaml:"assignment"`
}

type topicFile struct {
	Topic string `yaml:"topic"`
}

type controlFile struct {
	Topic string `yaml:"topic"`
	Audit string `yaml:"audit"`
}

type outputFile struct {
	Partitions  int32  `yaml:"partitions"`
	Replication int16  `yaml:"replication"`
	Delivery    string `yaml:"delivery"`
}

type dataset struct {
	Topic         string            `yaml:"topic"`
	Entity        string            `yaml:"entity"`
	Class         string            `yaml:"class"`
	Format        string            `yaml:"format"`
	Envelope      string            `yaml:"envelope"`
	Mode          string            `yaml:"mode"`
	Schema        schemaSource      `yaml:"schema"`
	WriterSchemas []string          `yaml:"writer_schemas"`
	Map           map[string]string `yaml:"map"`
	Identities    []identityField   `yaml:"identities"`
	IdentityMap   string            `yaml:"identity_map"`
	Links         string            `yaml:"links"`
	Timestamp     string            `yaml:"timestamp"`
	Sequence      string            `yaml:"sequence"`
	ID            string            `yaml:"id"`
	Nulls         string            `yaml:"nulls"`
	Tombstones    string            `yaml:"tombstones"`
	UnknownFields string            `yaml:"unknown_fields"`
	MaxFuture     *Duration         `yaml:"max_future"`
	Retention     *Duration         `yaml:"retention"`
	Start         string            `yaml:"start"`
	Continuity    string            `yaml:"continuity"`

	MaxRejectedShare *float64 `yaml:"max_rejected_share"`
	RejectedWindow   *int     `yaml:"rejected_window"`

	Promote string `yaml:"promote"`
	Retired bool   `yaml:"retired"`
}

type identityField struct {
	Path      string `yaml:"path"`
	Namespace string `yaml:"namespace"`
	Primary   bool   `yaml:"primary"`
}
