package inspect

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// maxFrame is the longest captured frame that is read, in bytes: a 64 KiB datagram with room for a large link header, and what
// offloading puts into one. gopacket allocates what a file claims, so every claim is checked before.
const maxFrame = 1 << 20

// frame is one captured frame.
type frame struct {
	at   time.Time
	link layers.LinkType
	data []byte
	cut  bool // captured shorter than it was on the wire
}

// captureFile reads frames. gopacket reads the format; its panics on broken files become errors.
type captureFile struct {
	read func() ([]byte, gopacket.CaptureInfo, error)
	link func(gopacket.CaptureInfo) layers.LinkType
}

// openCapture opens a pcap or pcapng file, also of the nanosecond kind and of either byte order.
func openCapture(r io.ReadSeeker) (c *captureFile, err error) {
	defer recovered(&err)
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, errors.New("it is too short to be a capture")
	}
	if binary.BigEndian.Uint32(magic[:]) == blockSection {
		return openNG(r)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	// Compressed captures would be unpacked without bound.
	if magic[0] == 0x1f && magic[1] == 0x8b {
		return nil, errors.New("it is compressed: unpack it first with gunzip")
	}
	p, err := pcapgo.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("it is neither pcap nor pcapng (%w)", err)
	}
	p.SetSnaplen(maxFrame)
	return &captureFile{read: p.ReadPacketData, link: func(gopacket.CaptureInfo) layers.LinkType { return p.LinkType() }}, nil
}

func openNG(r io.ReadSeeker) (*captureFile, error) {
	if err := checkBlocks(r); err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	p, err := pcapgo.NewNgReader(r, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return nil, err
	}
	link := func(ci gopacket.CaptureInfo) layers.LinkType {
		if len(ci.AncillaryData) == 1 {
			if t, ok := ci.AncillaryData[0].(layers.LinkType); ok {
				return t
			}
		}
		return layers.LinkTypeNull
	}
	return &captureFile{read: p.ReadPacketData, link: link}, nil
}

// next returns the next frame, or io.EOF.
func (c *captureFile) next() (f frame, err error) {
	defer recovered(&err)
	data, ci, err := c.read()
	if err != nil {
		return f, err
	}
	return frame{at: ci.Timestamp, link: c.link(ci), data: data, cut: ci.CaptureLength < ci.Length}, nil
}

// recovered turns a panic of the file reader into an error. It guards nothing but gopacket, whose pcapng options are not bounds-checked.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the file is broken: %v", p)
	}
}

// Block types of pcapng that hold packets, and the section header (which reads the same in both byte orders).
const (
	blockSection  = 0x0a0d0d0a
	blockPacket   = 2
	blockSimple   = 3
	blockEnhanced = 6
)

// checkBlocks walks the blocks of a pcapng file and refuses lengths that gopacket would allocate or wrap without a look.
func checkBlocks(r io.ReadSeeker) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(r, 1<<16)
	order := binary.ByteOrder(binary.LittleEndian)
	for at := int64(0); ; {
		head, err := in.Peek(28)
		if len(head) < 12 {
			if len(head) == 0 && errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("it is cut off at byte %d", at)
		}
		if binary.BigEndian.Uint32(head) == blockSection {
			order = sectionOrder(head)
		}
		length := order.Uint32(head[4:])
		if length < 12 || length%4 != 0 || length > maxFrame+4096 {
			return fmt.Errorf("the block at byte %d claims %d bytes", at, length)
		}
		if n, ok := claimed(order, head); ok && uint64(n) > uint64(length) {
			return fmt.Errorf("the packet at byte %d claims %d bytes in a block of %d", at, n, length)
		}
		if _, err := in.Discard(int(length)); err != nil {
			return fmt.Errorf("the block at byte %d is cut off", at)
		}
		at += int64(length)
	}
}

func sectionOrder(head []byte) binary.ByteOrder {
	if binary.BigEndian.Uint32(head[8:]) == 0x1a2b3c4d {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// claimed is the captured length that a packet block claims.
func claimed(order binary.ByteOrder, head []byte) (n uint32, ok bool) {
	switch order.Uint32(head) {
	case blockEnhanced, blockPacket:
		if len(head) < 24 {
			return 1 << 31, true
		}
		return order.Uint32(head[20:]), true
	case blockSimple:
		return order.Uint32(head[8:]), true
	}
	return 0, false
}

// openFile opens a capture by name.
func openFile(path string) (*os.File, *captureFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	c, err := openCapture(f)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s cannot be read as a capture: %w", path, err), f.Close())
	}
	return f, c, nil
}
