// What a persistence engine tells the templates of one client apart by, in the extra lines of the
// template: a hash 8 | length 1 | text, running on from line to line.

extension Connection {
    private static let headerBytes = 9

    /// Extra lines that a text of this length takes.
    static func engineLines(_ count: Int) -> Int {
        (headerBytes + count + lineBytes - 1) / lineBytes
    }

    /// Writes the text, of at most 255 bytes, before anybody can find the template.
    func writeEngineData(_ tag: UInt64, _ text: some ByteText, _ range: Range<Int>) {
        guard let first = unsafe extraLine(0), range.count <= SIP.longestCallID else { return }
        unsafe first.set(0, le64: tag)
        unsafe first.set(8, byte: UInt8(range.count))
        for (position, index) in zip(Connection.headerBytes..., range) {
            guard let line = unsafe extraLine(position / Connection.lineBytes) else { return }
            unsafe line.set(position % Connection.lineBytes, byte: text[index])
        }
    }

    /// The hash of the text; 0 for templates without one, and for connections.
    var engineTag: UInt64 {
        guard isTemplate, let line = unsafe extraLine(0) else { return 0 }
        return unsafe line.le64(0)
    }

    /// The text; nil for templates without one, and for connections.
    package var engineData: [UInt8]? {
        guard isTemplate, let first = unsafe extraLine(0) else { return nil }
        let count = unsafe Int(first.byte(8))
        return (Connection.headerBytes..<Connection.headerBytes + count).map { position in
            guard let line = unsafe extraLine(position / Connection.lineBytes) else { return 0 }
            return unsafe line.byte(position % Connection.lineBytes)
        }
    }

    /// Copies the text to where there is room for 255 bytes; returns its length, 0 when there is none.
    @inline(__always)
    func copyEngineData(to room: UnsafeMutableRawPointer) -> UInt8 {
        isTemplate ? unsafe copyTemplateData(to: room) : 0
    }

    private func copyTemplateData(to room: UnsafeMutableRawPointer) -> UInt8 {
        guard let first = unsafe extraLine(0) else { return 0 }
        let count = unsafe first.byte(8)
        for index in 0..<Int(count) {
            let position = Connection.headerBytes + index
            guard let line = unsafe extraLine(position / Connection.lineBytes) else { return 0 }
            unsafe room.set(index, byte: line.byte(position % Connection.lineBytes))
        }
        return count
    }
}
