/// The five running counters of a destination, a service or the whole director (ipvs-semantics 8.1).
package struct CounterValues: Hashable, Sendable {
    package var connections: UInt64 = 0
    package var inPackets: UInt64 = 0
    package var outPackets: UInt64 = 0
    /// Bytes of IP packets, without link headers.
    package var inBytes: UInt64 = 0
    package var outBytes: UInt64 = 0

    package init() {}

    package init(
        connections: UInt64, inPackets: UInt64, outPackets: UInt64, inBytes: UInt64,
        outBytes: UInt64
    ) {
        self.connections = connections
        self.inPackets = inPackets
        self.outPackets = outPackets
        self.inBytes = inBytes
        self.outBytes = outBytes
    }

    /// Sums and differences of running numbers wrap as the numbers themselves do.
    static func + (left: CounterValues, right: CounterValues) -> CounterValues {
        CounterValues(
            connections: left.connections &+ right.connections,
            inPackets: left.inPackets &+ right.inPackets,
            outPackets: left.outPackets &+ right.outPackets,
            inBytes: left.inBytes &+ right.inBytes,
            outBytes: left.outBytes &+ right.outBytes)
    }

    static func - (left: CounterValues, right: CounterValues) -> CounterValues {
        CounterValues(
            connections: left.connections &- right.connections,
            inPackets: left.inPackets &- right.inPackets,
            outPackets: left.outPackets &- right.outPackets,
            inBytes: left.inBytes &- right.inBytes,
            outBytes: left.outBytes &- right.outBytes)
    }
}

/// Counters and rates as listings show them.
package struct Statistics: Hashable, Sendable {
    package var counters = CounterValues()
    package var connectionsPerSecond: UInt64 = 0
    package var inPacketsPerSecond: UInt64 = 0
    package var outPacketsPerSecond: UInt64 = 0
    package var inBytesPerSecond: UInt64 = 0
    package var outBytesPerSecond: UInt64 = 0

    package init() {}
}
