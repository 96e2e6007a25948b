package host

// An Admin reaches one realm's admin REST interface as a service account. It
// dials the listener on the loopback, so that healing needs no DNS and no edge,
// and asks for the public name, so that the certificate is still checked.
type Admin struct {
	Public string // https://idp.example.org, as in the issuer
	Dial   string // "[::1]:8443"
	Realm  string // where the client lives and whose tokens it gets: "breath", "master"
	Client string
	Secret Secret
}
