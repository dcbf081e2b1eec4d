/// Counters and rates of a service or a real server as they travel (STATS and STATS64).
package struct StatisticsRecord: Hashable, Sendable {
    package var connections: UInt64 = 0
    package var inPackets: UInt64 = 0
    package var outPackets: UInt64 = 0
    package var inBytes: UInt64 = 0
    package var outBytes: UInt64 = 0
    package var connectionsPerSecond: UInt64 = 0
    package var inPacketsPerSecond: UInt64 = 0
    package var outPacketsPerSecond: UInt64 = 0
    package var inBytesPerSecond: UInt64 = 0
    package var outBytesPerSecond: UInt64 = 0

    package init() {}

    /// The record of ten values in the order of their attribute numbers; nil when they are not ten.
    package init?(_ values: [UInt64]) {
        guard values.count == 10 else { return nil }
        (connections, inPackets, outPackets) = (values[0], values[1], values[2])
        (inBytes, outBytes, connectionsPerSecond) = (values[3], values[4], values[5])
        (inPacketsPerSecond, outPacketsPerSecond) = (values[6], values[7])
        (inBytesPerSecond, outBytesPerSecond) = (values[8], values[9])
    }

    /// The values in the order of their attribute numbers, which begin at 1.
    var values: [UInt64] {
        [
            connections, inPackets, outPackets, inBytes, outBytes, connectionsPerSecond,
            inPacketsPerSecond, outPacketsPerSecond, inBytesPerSecond, outBytesPerSecond,
        ]
    }

    /// Reads whichever set is there; the 64-bit one is preferred.
    init(narrow: NetlinkAttributes?, wide: NetlinkAttributes?) throws(Refusal) {
        guard let set = wide ?? narrow else { return }
        func value(_ kind: UInt16) throws(Refusal) -> UInt64 {
            if wide != nil || Self.isAlwaysWide(kind) { return try set.number(kind) ?? 0 }
            return UInt64(try set.number(kind, as: UInt32.self) ?? 0)
        }
        connections = try value(1)
        inPackets = try value(2)
        outPackets = try value(3)
        inBytes = try value(4)
        outBytes = try value(5)
        connectionsPerSecond = try value(6)
        inPacketsPerSecond = try value(7)
        outPacketsPerSecond = try value(8)
        inBytesPerSecond = try value(9)
        outBytesPerSecond = try value(10)
    }

    /// Writes the ten attributes; the narrow set keeps the low 32 bits, as the kernel's does.
    func write(wide: Bool, to writer: inout NetlinkWriter) {
        for (index, value) in values.enumerated() {
            let kind = UInt16(index + 1)
            if wide || Self.isAlwaysWide(kind) {
                writer.attribute(kind, value)
            } else {
                writer.attribute(kind, UInt32(truncatingIfNeeded: value))
            }
        }
    }

    /// Bytes have 64 bits in both sets.
    private static func isAlwaysWide(_ kind: UInt16) -> Bool { kind == 4 || kind == 5 }
}
