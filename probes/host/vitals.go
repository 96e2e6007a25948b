package host

// Vitals are how this program itself is, for the probes that look at it.
type Vitals struct {
	// Lost are the sources of events that are lost, by kind, and why.
	Lost map[string]string
	// Ledger says what is wrong with the ledger, if anything: set aside as
	// damaged, or not to be opened.
	Ledger string
}
