package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
)

// transfer is what iperf3 -J says of one measurement.
type transfer struct {
	version string
	flows   int
	bytes   uint64  // that the receiver got, without the omitted second
	gbps    float64 // as the receiver counts
	resent  int     // segments that the sender sent again

	// Not of the report:
	cpu     float64 // nanoseconds a byte that the tunnel's programs used
	entered uint64  // bytes that went into the tunnel, with what was not counted
}

// parseIPerf reads the client's JSON. A report of anything but a finished transfer is an error.
func parseIPerf(text []byte) (transfer, error) {
	var report struct {
		Start struct {
			Version   string
			TestStart struct {
				Streams int `json:"num_streams"`
			} `json:"test_start"`
		}
		End struct {
			Sent *struct {
				Retransmits int
			} `json:"sum_sent"`
			Received *struct {
				Bytes uint64
				Bits  float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
		Error string
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return transfer{}, fmt.Errorf("the report of iperf3 cannot be read: %w", err)
	}
	if report.Error != "" {
		return transfer{}, fmt.Errorf("iperf3: %s", report.Error)
	}
	end := report.End
	if end.Received == nil || end.Sent == nil || end.Received.Bytes == 0 || end.Received.Bits <= 0 {
		return transfer{}, errors.New("iperf3 reports no bytes received: the connection stood still")
	}
	return transfer{version: report.Start.Version, flows: report.Start.TestStart.Streams, bytes: end.Received.Bytes, gbps: end.Received.Bits / 1e9,
		resent: end.Sent.Retransmits}, nil
}
