// Package logging lets log/slog write to the gateway's log:
//
//	slog.SetDefault(slog.New(&logging.Handler{}))
package logging

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"gatehouse"
)

// Handler is a slog.Handler. A record is a line: its message, then its attributes as slog's text form has them.
type Handler struct {
	// What comes after the message.
	with string
	// What comes before the names of attributes.
	group string
}

// Enabled tells whether the gateway writes lines of this level.
func (h *Handler) Enabled(_ context.Context, at slog.Level) bool {
	return gatehouse.LogEnabled(level(at))
}

func level(at slog.Level) gatehouse.Level {
	switch {
	case at < slog.LevelDebug:
		return gatehouse.LevelTrace
	case at < slog.LevelInfo:
		return gatehouse.LevelDebug
	case at < slog.LevelWarn:
		return gatehouse.LevelInfo
	case at < slog.LevelError:
		return gatehouse.LevelWarn
	default:
		return gatehouse.LevelError
	}
}

// Handle writes a line.
func (h *Handler) Handle(_ context.Context, record slog.Record) error {
	var attributes strings.Builder
	attributes.WriteString(h.with)
	record.Attrs(func(attribute slog.Attr) bool {
		write(&attributes, h.group, attribute)
		return true
	})
	gatehouse.Logf(level(record.Level), "%s%s", record.Message, attributes.String())
	return nil
}

// WithAttrs has these attributes in each line.
func (h *Handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	var with strings.Builder
	with.WriteString(h.with)
	for _, attribute := range attributes {
		write(&with, h.group, attribute)
	}
	return &Handler{with.String(), h.group}
}

// WithGroup puts the name before those of the attributes to come.
func (h *Handler) WithGroup(name string) slog.Handler { return &Handler{h.with, h.group + name + "."} }

func write(to *strings.Builder, group string, attribute slog.Attr) {
	value := attribute.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if attribute.Key != "" {
			group += attribute.Key + "."
		}
		for _, inner := range value.Group() {
			write(to, group, inner)
		}
		return
	}
	if attribute.Equal(slog.Attr{}) {
		return
	}
	text := value.String()
	if text == "" || strings.ContainsAny(text, " \"=\n\t") {
		text = strconv.Quote(text)
	}
	to.WriteString(" " + group + attribute.Key + "=" + text)
}
