/// The options of a TCP header (RFC 9293 section 3.1), one after the other; NOPs are passed over.
@safe
struct TCPOptions {
    /// One option; the offset of its kind counts from the segment's first byte.
    struct Option: Hashable {
        var kind: UInt8
        var offset: Int
        /// Bytes, kind and length included.
        var length: Int
    }

    static let longest = 40
    static let endOfList: UInt8 = 0
    static let noOperation: UInt8 = 1
    static let segmentSize: UInt8 = 2
    static let selectiveAcknowledgement: UInt8 = 5
    static let timestamps: UInt8 = 8
    static let fastOpen: UInt8 = 34

    private let segment: UnsafeMutableRawPointer
    private let end: Int
    private var offset = 20
    /// True once the options have been found not to add up; nothing is read behind that.
    private(set) var isMalformed = false

    /// The options of a segment of `length` bytes, its header included.
    init(_ segment: UnsafeMutableRawPointer, length: Int) {
        unsafe self.segment = segment
        end = unsafe TCPOptions.headerLength(segment)
        if end < 20 || end > length { isMalformed = true }
    }

    /// True when the options of a segment of `length` bytes add up.
    static func addUp(_ segment: UnsafeMutableRawPointer, length: Int) -> Bool {
        var options = unsafe TCPOptions(segment, length: length)
        while options.next() != nil {}
        return !options.isMalformed
    }

    /// The length that a header claims, bytes.
    static func headerLength(_ segment: UnsafeMutableRawPointer) -> Int {
        unsafe Int(segment.byte(12) >> 4) * 4
    }

    mutating func next() -> Option? {
        while !isMalformed, offset < end {
            let kind = unsafe segment.byte(offset)
            if kind == TCPOptions.endOfList { return nil }
            guard kind != TCPOptions.noOperation else {
                offset += 1
                continue
            }
            let length = unsafe offset + 1 < end ? Int(segment.byte(offset + 1)) : 0
            guard length >= 2, offset + length <= end else {
                isMalformed = true
                return nil
            }
            defer { offset += length }
            return Option(kind: kind, offset: offset, length: length)
        }
        return nil
    }
}

/// Changes of fields of a TCP header that carry over to its checksum.
enum TCPFields {
    /// Replaces a number of four bytes at an offset of the segment.
    static func change(
        _ offset: Int, of segment: UnsafeMutableRawPointer, _ isPartial: Bool,
        _ convert: (UInt32) -> UInt32
    ) {
        let old = unsafe segment.le32(offset)
        unsafe segment.set(offset, be32: convert(segment.be32(offset)))
        guard !isPartial else { return }
        unsafe update(
            segment, at: offset, by: Checksum.difference(from: old, to: segment.le32(offset)))
    }

    /// Replaces one byte.
    static func change(
        _ offset: Int, of segment: UnsafeMutableRawPointer, _ isPartial: Bool, to byte: UInt8
    ) {
        let old = unsafe segment.byte(offset)
        unsafe segment.set(offset, byte: byte)
        guard !isPartial else { return }
        unsafe update(
            segment, at: offset,
            by: Checksum.difference(from: UInt32(old), to: UInt32(byte)))
    }

    /// Overwrites an option with NOPs.
    static func blank(
        _ option: TCPOptions.Option, of segment: UnsafeMutableRawPointer, _ isPartial: Bool
    ) {
        for offset in option.offset..<option.offset + option.length {
            unsafe change(offset, of: segment, isPartial, to: TCPOptions.noOperation)
        }
    }

    /// Replaces the numbers of bytes that a segment acknowledges, the blocks of selective
    /// acknowledgements (RFC 2018) included; false when the header's options do not add up.
    static func changeAcknowledged(
        of segment: UnsafeMutableRawPointer, length: Int, _ isPartial: Bool,
        _ convert: (UInt32) -> UInt32
    ) -> Bool {
        unsafe change(8, of: segment, isPartial, convert)
        var options = unsafe TCPOptions(segment, length: length)
        while let option = options.next() {
            guard option.kind == TCPOptions.selectiveAcknowledgement, option.length >= 10,
                (option.length - 2) % 8 == 0
            else { continue }
            let edges = option.offset + 2..<option.offset + option.length
            for edge in stride(from: edges.lowerBound, to: edges.upperBound, by: 4) {
                unsafe change(edge, of: segment, isPartial, convert)
            }
        }
        return !options.isMalformed
    }

    /// Adds what changed at an offset; at an odd one the bytes of each word count the other way round.
    private static func update(
        _ segment: UnsafeMutableRawPointer, at offset: Int, by difference: UInt16
    ) {
        let words = offset & 1 == 0 ? difference : difference.byteSwapped
        let field = unsafe segment.le16(16)
        unsafe segment.set(16, le16: Checksum.updated(field, adding: UInt32(words)))
    }
}
