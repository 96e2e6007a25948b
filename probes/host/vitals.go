package host

// Vitals are what the daemon knows of itself and no look at the machine shows,
// for the probes of layer self. They are part of its snapshot too, for those who
// diagnose beside it.
type Vitals struct {
	// Lost are the sources of events that are lost right now, by kind ("unit",
	// "file", "address", "firewall"), and why. Polling finds later what they
	// would have told.
	Lost map[string]string `json:"lost,omitempty"`
	// Ledger says in words what is wrong with the store of attempts while
	// something is: it can't be written, or it was set aside as damaged.
	Ledger string `json:"ledger,omitempty"`
}
