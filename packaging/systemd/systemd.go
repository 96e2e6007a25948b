// Package systemd holds the program's own unit files: the distribution packages
// install them below /usr/lib/systemd/system, and remedy self writes them where
// no package did.
package systemd

import (
	"embed"
	"fmt"
)

// Names of the units. Debian has a watchdog.service of somebody else's.
const (
	Engine        = "watchdog-engine.service"
	Export        = "watchdog-export.service"
	BackupService = "watchdog-backup.service"
	BackupTimer   = "watchdog-backup.timer"
)

// Group may read the engine's socket; ExportUser is whom the exporter runs as.
// Neither owns a file.
const (
	Group      = "watchdog"
	ExportUser = "watchdog-export"
)

//go:embed *.service *.timer
var units embed.FS

// Unit returns the text of one of the units above. Any other name is a mistake
// in the program, and panics.
func Unit(name string) string {
	text, err := units.ReadFile(name)
	if err != nil {
		panic(fmt.Sprintf("systemd: %v", err))
	}
	return string(text)
}
