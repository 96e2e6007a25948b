package remedies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"path"
	"regexp"
	"time"

	"watchdog/probes/host"
)

// What is installed where no version is asked for. The archive is the one on
// Maven Central; the hash agrees with the .sha256 published beside it.
const (
	KeycloakVersion = "26.7.0"
	KeycloakSHA256  = "f771df0aa1e4820f57d56f7d6d015beb6415487b43f8de7e5a6d48f8a7fe118a"
)

// A KeycloakServer is the site's Keycloak as its remedies know it.
type KeycloakServer struct {
	Version string // of the archive to install; an installed one is not replaced
	URL     string // of the archive; empty means Maven Central
	SHA256  string // of the archive, in hex
	User    string // service user and group: "keycloak"
	Home    string // link to the unpacked archive: "/opt/keycloak"
	Dir     string // configuration: "/etc/keycloak"
	Public  string // "https://idp.example.org", no trailing slash
	Port    int    // HTTPS, on ::1
	Mgmt    int    // management, on ::1
	Heap    string // -Xmx value: "512m"
	// DatabasePort, Database and Role are where and as whom it logs in.
	DatabasePort   int
	Database, Role string
	Password       string // name of the database password's secret
}

// archive is the pinned archive; its name is that of the URL, by which it is
// also looked for among the artifacts.
func (s KeycloakServer) archive() Archive {
	url := s.URL
	if url == "" {
		url = fmt.Sprintf("https://repo1.maven.org/maven2/org/keycloak/keycloak-quarkus-dist/%[1]s/keycloak-quarkus-dist-%[1]s.tar.gz", s.Version)
	}
	return Archive{Name: path.Base(url), URL: url, SHA256: s.SHA256}
}

func (s KeycloakServer) conf() string  { return s.Dir + "/keycloak.conf" }
func (s KeycloakServer) certs() string { return s.Dir + "/certs" }

// unpacked is where the pinned archive goes: "/opt/keycloak-26.7.0".
func (s KeycloakServer) unpacked() string { return s.Home + "-" + s.Version }

// loopback is a port of ::1, "[::1]:9000".
func loopback(port int) string {
	return netip.AddrPortFrom(netip.IPv6Loopback(), uint16(port)).String()
}

// tree is the distribution's own directory: what Home leads to, or will.
func (s KeycloakServer) tree(h *host.Host) (string, error) {
	n, err := h.FS.Node(s.Home)
	switch {
	case err != nil:
		return "", err
	case n == nil:
		return s.unpacked(), nil
	case n.Mode.Type() != fs.ModeSymlink:
		return s.Home, nil
	}
	target := string(n.Data)
	if !path.IsAbs(target) {
		target = path.Join(path.Dir(s.Home), target)
	}
	return path.Clean(target), nil
}

var versionLine = regexp.MustCompile(`\b(\d+)\.(\d+)\.(\d+)`)

// installed reads the version of what is installed, from the version.txt that
// every distribution has had since 17. Nothing installed is the pinned version.
func (s KeycloakServer) installed(h *host.Host) (kcRelease, error) {
	text, err := h.FS.ReadFile(s.Home + "/version.txt")
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte(s.Version), nil
	}
	if err != nil {
		return kcRelease{}, fmt.Errorf("read Keycloak's version: %w", err)
	}
	r, ok := parseKCRelease(string(text))
	if !ok {
		return kcRelease{}, fmt.Errorf("read Keycloak's version: %q has none", text)
	}
	return r, nil
}

// dirs makes the configuration directory, which only root writes, and the
// directory of the certificate copies, which is the server's own.
func (s KeycloakServer) dirs(h *host.Host) ([]Edit, error) {
	edits, err := Converge(h, s.Dir, Directory("root", s.User, 0o750))
	if err != nil {
		return nil, err
	}
	certs, err := Converge(h, s.certs(), Directory(s.User, s.User, 0o750))
	return append(edits, certs...), err
}

// Ready asks the management interface, wherever the installed version has it,
// whether Keycloak is ready. It is the whole of what a start waits for.
func (s KeycloakServer) Ready(ctx context.Context, h *host.Host) error {
	version, err := s.installed(h)
	if err != nil {
		return err
	}
	url, dial := "http://"+loopback(s.Mgmt), loopback(s.Mgmt)
	switch {
	case version.before(kcRelease{25}):
		url, dial = s.Public, loopback(s.Port)
	case version.before(kcRelease{26, 4}):
		url = s.Public // the main certificate, whatever the port
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/health/ready", nil)
	if err != nil {
		return err
	}
	resp, err := h.HTTPClient(dial, "", host.Fresh).Do(req)
	if err != nil {
		return fmt.Errorf("ask keycloak whether it is ready: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask keycloak whether it is ready: status %d", resp.StatusCode)
	}
	return nil
}

// absent reports whether Keycloak is not installed as a service yet.
func (s KeycloakServer) absent(ctx context.Context, h *host.Host) bool {
	u, err := h.Init.Unit(ctx, h.Facts.Layout.Unit("keycloak"))
	return err == nil && u.State == host.Absent
}

// KeycloakUser creates the user that Keycloak runs as.
type KeycloakUser struct{ Server KeycloakServer }

// Spec implements [Remedy].
func (r KeycloakUser) Spec() Spec {
	return Spec{ID: "keycloak.user", Summary: "create the user that Keycloak runs as", Timeout: time.Minute}
}

// Plan implements [Remedy].
func (r KeycloakUser) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	s := CreateUser{Name: r.Server.User, Home: r.Server.Home}
	done, err := s.Done(ctx, h)
	if err != nil || done {
		return Plan{}, err
	}
	return Plan{Steps: []Step{s}}, nil
}

// KeycloakDist unpacks Keycloak, where no package brings it. Root owns the
// distribution; the server may write below data only. Whatever version Home
// leads to already stays: another one would migrate the database, which nothing
// undoes.
type KeycloakDist struct{ Server KeycloakServer }

// Spec implements [Remedy].
func (r KeycloakDist) Spec() Spec {
	return Spec{ID: "keycloak.dist", Summary: "unpack Keycloak " + r.Server.Version, Timeout: 15 * time.Minute}
}

// Plan implements [Remedy].
func (r KeycloakDist) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	s := r.Server
	tree, err := s.tree(h)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	if _, err := h.FS.ReadFile(s.Home + "/version.txt"); errors.Is(err, fs.ErrNotExist) {
		tree = s.unpacked()
		step := Unpack{Archive: s.archive(), Dir: tree}
		done, err := step.Done(ctx, h)
		if err != nil {
			return Plan{}, err
		}
		if !done {
			p.Steps = append(p.Steps, step)
		}
		if p.Edits, err = Converge(h, s.Home, Link(path.Base(tree))); err != nil {
			return Plan{}, err
		}
	} else if err != nil {
		return Plan{}, fmt.Errorf("read Keycloak's version: %w", err)
	}
	data, err := Converge(h, tree+"/data", Directory(s.User, s.User, 0o750))
	p.Edits = append(p.Edits, data...)
	return p, err
}
