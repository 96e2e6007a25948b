package remedies

import (
	"fmt"
	"strings"

	"watchdog/probes/format/properties"
	"watchdog/probes/host"
)

// systemUnits is where a host's own units and drop-ins are.
const systemUnits = host.SystemUnits

// keycloakUnit is keycloak.service. It has no Restart=: who starts Keycloak
// again is the daemon, with its proof and its budget.
const keycloakUnit = `# Written by watchdog.
[Unit]
Description=Keycloak identity provider
Documentation=https://www.keycloak.org/guides
After=network-online.target %[1]s
Wants=network-online.target

[Service]
Type=exec
User=%[2]s
Group=%[2]s
WorkingDirectory=%[3]s
Environment=JAVA_HOME=%[4]s
Environment="JAVA_OPTS_KC_HEAP=-Xms64m -Xmx%[5]s"
ExecStart=%[3]s/bin/kc.sh start --optimized
# Java's answer to SIGTERM.
SuccessExitStatus=143
TimeoutStartSec=2min
TimeoutStopSec=30s
LimitNOFILE=65536
UMask=0027
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=full
RestrictSUIDSGID=yes

[Install]
WantedBy=multi-user.target
`

// unit is the edit of keycloak.service, on hosts that have systemd.
func (s KeycloakServer) unit(h *host.Host) ([]Edit, error) {
	if h.Facts.Init != host.Systemd {
		return nil, nil
	}
	l := h.Facts.Layout
	text := fmt.Sprintf(keycloakUnit, l.Unit("postgresql"), s.User, s.Home, l.JavaHome, s.Heap)
	return Converge(h, systemUnits+"/"+l.Unit("keycloak"), File([]byte(text), "root", "root", 0o644))
}

// touchesUnits reports whether an edit is of a unit file.
func touchesUnits(edits []Edit) bool {
	for _, e := range edits {
		if w, ok := e.(Write); ok && strings.HasPrefix(w.Path, systemUnits+"/") {
			return true
		}
	}
	return false
}

// passwordsIn returns the passwords that stand in a keycloak.conf.
func passwordsIn(conf []byte) []host.Secret {
	f, err := properties.Parse(conf)
	if err != nil {
		return nil
	}
	var out []host.Secret
	for _, key := range f.Keys() {
		if value, _ := f.Get(key); strings.HasSuffix(key, "password") && value != "" {
			out = append(out, host.NewSecret(value))
		}
	}
	return out
}
