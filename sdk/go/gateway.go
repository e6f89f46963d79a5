package gatehouse

import (
	"crypto/subtle"
	"fmt"

	"gatehouse/internal/host"
)

// Level is how important a line of the log is.
type Level int

// Levels of the gateway's log.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

// Logf writes a line to the gateway's log, which carries the plugin's name and the request's id. Lines past the plugin's rate
// limit are dropped and counted; a message is cut after 8 KiB.
func Logf(level Level, format string, values ...any) {
	if LogEnabled(level) {
		host.LogWrite(int(level), fmt.Sprintf(format, values...))
	}
}

// LogEnabled tells whether lines of this level are written.
func LogEnabled(level Level) bool { return host.LogEnabled(int(level)) }

// Debugf writes a line that helps to understand a decision.
func Debugf(format string, values ...any) { Logf(LevelDebug, format, values...) }

// Infof writes a line that an operator wants to see.
func Infof(format string, values ...any) { Logf(LevelInfo, format, values...) }

// Warnf writes a line about something that is wrong, and it goes on.
func Warnf(format string, values ...any) { Logf(LevelWarn, format, values...) }

// Errorf writes a line about something that has failed.
func Errorf(format string, values ...any) { Logf(LevelError, format, values...) }

// WriteLine hands over one line, without the line feed, to the place that the operator chose. False when that cannot keep up
// and the line was dropped. Needs asks = ["output"] in plugin.toml and the grant.
func WriteLine(line string) bool { return host.WriteLine(line) }

// SameSecret tells whether two secrets are the same, in a time that does not tell where they differ. Never when they are
// empty: an absent header must not match a key that someone forgot to configure.
func SameSecret(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
