package endpoint

import (
	"context"
	"log/slog"
	"time"
)

// logGate bounds the lines of log a second that others can cause.
type logGate struct {
	second  time.Time
	lines   int
	skipped int
}

const maxLines = 50

func (g *logGate) log(l *slog.Logger, now time.Time, level slog.Level, msg string, attrs ...any) {
	if now.Sub(g.second) >= time.Second {
		if g.skipped > 0 {
			l.Warn("log lines were left out", "lines", g.skipped)
		}
		*g = logGate{second: now}
	}
	if g.lines++; g.lines > maxLines {
		g.skipped++
		return
	}
	l.Log(context.Background(), level, msg, attrs...)
}
