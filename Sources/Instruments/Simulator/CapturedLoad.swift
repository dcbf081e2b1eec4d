package import LVS

/// The new connections of a capture, for a simulation to play: who came when, and for how long.
package struct CapturedLoad: Hashable, Sendable {
    /// One connection; times are nanoseconds since the first one's beginning.
    package struct Connection: Hashable, Sendable {
        package var time: Int64
        package var end: Int64
        /// Position among the clients.
        package var client: UInt32
        /// Host order.
        package var clientPort: UInt16
    }

    /// A virtual address and port, host order.
    package struct Service: Hashable, Sendable {
        package var address: IPAddress
        package var port: UInt16

        /// Reads `192.0.2.1:80` or `[2001:db8::1]:80`.
        package init(_ text: String) throws(SimulatedLoad.Mistake) {
            guard let (address, port) = Hypothesis.endpoint(text) else {
                throw SimulatedLoad.Mistake(
                    description: "service '\(text)': accepted is \(Hypothesis.endpointUsage)")
            }
            self.address = address
            self.port = port
        }
    }

    /// In the order of their times; at least one.
    package let connections: [Connection]
    /// Addresses, all of one family, in the order in which they came.
    package let clients: [IPAddress]
    /// From the first connection's beginning to the last one's end, nanoseconds.
    package let length: Int64
    /// What was left out or is not as it was, a sentence each.
    package let remarks: [String]

    /// Most connections that are taken from a capture.
    package static let mostConnections = 1 << 20
    /// Longest time from the first connection on, nanoseconds: a day.
    package static let longest: Int64 = 86_400 * 1_000_000_000

    /// From the beginning of one playing to that of the next, nanoseconds.
    package var period: Int64 { length + 1_000_000 }

    var family: AddressFamily { clients.first?.family ?? .v4 }

    /// Reads captures to their end.
    ///
    /// With a service its connections only are taken, `most` at most; `read` is told now and then how
    /// many packets there were.
    package init(
        _ capture: MergedCapture, to service: Service? = nil,
        most: Int = CapturedLoad.mostConnections, read: (UInt64) -> Void = { _ in }
    ) throws(SimulatedLoad.Mistake) {
        let reader = FlowReader(capture)
        var collector = ConnectionCollector(service: service, most: most)
        while let sighting = reader.next() {
            collector.take(sighting)
            if reader.packets & 0xfff == 0 { read(reader.packets) }
        }
        let unreadable = reader.unreadable.remark("could not be read")
        let remarks =
            collector.remarks + capture.remarkLines + [unreadable].compactMap { $0 }
        guard let found = collector.largest else {
            let to = service.map { " to \(Words.endpoint($0.address, $0.port))" } ?? ""
            throw SimulatedLoad.Mistake(
                description: (["no connection\(to) begins in the \(reader.packets) packets"]
                    + remarks).joined(separator: "; "))
        }
        connections = found.connections
        clients = found.clients
        length = found.connections.reduce(0) { max($0, $1.end) }
        self.remarks = remarks
    }
}
