package remedies

import (
	"io/fs"

	"watchdog/packaging/systemd"
	"watchdog/probes/host"
)

// A unit file of this program's own stands where a mask would: systemctl mask
// refuses it, and whoever puts a link to /dev/null in its place removes it. Then
// taking the mask off leaves no unit behind, and it has to be written anew.

// UnitFile returns the edits that make keycloak.service what it should be.
func (s KeycloakServer) UnitFile(h *host.Host) ([]Edit, error) { return s.unit(h) }

// UnitFile returns the edits that make the firewall's unit what it should be.
func (r Firewall) UnitFile(h *host.Host) ([]Edit, error) {
	return Converge(h, firewallUnit, File([]byte(unitText), "root", "root", 0o644))
}

// TimerFile returns the edits that make the unit of the backups' timer what it
// should be.
func (r Backup) TimerFile(h *host.Host) ([]Edit, error) {
	return unitEdits(h, systemd.BackupTimer, r.timer())
}

// masksFile reports whether a unit's own file has been replaced by a mask.
func masksFile(h *host.Host, unit string) (bool, error) {
	n, err := h.FS.Node(systemUnits + "/" + unit)
	if err != nil || n == nil {
		return false, err
	}
	return n.Mode.Type() == fs.ModeSymlink && string(n.Data) == "/dev/null", nil
}
