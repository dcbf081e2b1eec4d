internal import CPcap

/// Link types of the tcpdump group's registry that can be read, and names for all.
package enum LinkTypes {
    package static let null: UInt32 = 0
    package static let ethernet: UInt32 = 1
    /// Raw IP, as some systems number it in files.
    package static let rawBSD: UInt32 = 12
    package static let raw: UInt32 = 101
    package static let loop: UInt32 = 108
    package static let cooked: UInt32 = 113
    package static let ipv4: UInt32 = 228
    package static let ipv6: UInt32 = 229
    package static let cooked2: UInt32 = 276

    static let all = [null, ethernet, rawBSD, raw, loop, cooked, ipv4, ipv6, cooked2]

    /// Whether `LinkLayer` makes frames of such packets.
    package static func isReadable(_ number: UInt32) -> Bool { all.contains(number) }

    /// The name that libpcap has for it.
    package static func name(_ number: UInt32) -> String {
        guard let name = unsafe pcap_datalink_val_to_name(Int32(truncatingIfNeeded: number)) else {
            return "unknown"
        }
        return unsafe String(cString: name)
    }

    static var accepted: String {
        all.map { "\($0) (\(name($0)))" }.joined(separator: ", ")
    }
}
