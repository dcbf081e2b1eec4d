/// Options that every host on the way looks at (RFC 8200 section 4.3).
enum HopByHopOptions {
    private static let padOne: UInt8 = 0
    private static let pad: UInt8 = 1
    private static let routerAlert: UInt8 = 5
    /// Most options, and most bytes of padding in a row, that the kernel puts up with
    /// (`max_hbh_opts_number`; RFC 4942 section 2.1.9.5).
    private static let mostOptions = 8
    private static let mostPadding = 7

    /// True when a packet with these options goes on: the host's stack drops others, and tells the
    /// sender if the option says so.
    ///
    /// `header` is the whole extension header, `length` bytes long.
    static func areFine(_ header: UnsafeMutableRawPointer, length: Int) -> Bool {
        var position = 2
        var padding = 0
        var options = 0
        while position < length {
            let kind = unsafe header.byte(position)
            guard kind != padOne else {
                padding += 1
                guard padding <= mostPadding else { return false }
                position += 1
                continue
            }
            guard length - position >= 2 else { return false }
            let size = unsafe Int(header.byte(position + 1)) + 2
            guard size <= length - position else { return false }
            if kind == pad {
                padding += size
                guard padding <= mostPadding else { return false }
                for offset in 2..<max(size, 2) {
                    guard unsafe header.byte(position + offset) == 0 else { return false }
                }
            } else {
                options += 1
                padding = 0
                // The two highest bits of an unknown option say what becomes of its packet.
                guard options <= mostOptions, kind == routerAlert ? size == 4 : kind >> 6 == 0
                else { return false }
            }
            position += size
        }
        return true
    }
}
