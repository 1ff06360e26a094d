// Package browser tries the web page in a real browser: Chromium without a window, driven by the DevTools protocol over a pipe, looks at the page of a real
// endpoint that talks to another one. It needs no root and no network; where there is no Chromium, its tests are skipped and say so.
package browser
