package import LVS

/// What a replayed director made of each packet, in the order of the packets: one side of a
/// comparison.
package final class ReplaySide: ReplaySink {
    /// What became of one packet.
    package struct Outcome: Hashable, Sendable {
        package var packet: UInt64
        package var time: Int64
        package var verdict: Verdict
        /// The connection the packet goes on; nil without one.
        package var connection: Connected?
        /// Whether the packet has opened the connection.
        package var isNew = false
    }

    /// A connection by its client's side, and the server it has.
    package struct Connected: Hashable, Sendable {
        package var flow: ClientFlow
        package var server: ServerName
    }

    package let run: ReplayRun
    private var stories: StoryQueue
    private var outcomes: [Outcome] = []
    private var taken = 0

    package init(_ run: ReplayRun) {
        self.run = run
        let narrator = Narrator(most: .max)
        stories = StoryQueue(of: narrator)
        run.replay.sink = self
        run.replay.tell(narrator)
    }

    /// The next outcome there is; nil until more packets are decided.
    package func next() -> Outcome? {
        guard taken < outcomes.count else {
            outcomes.removeAll(keepingCapacity: true)
            taken = 0
            return nil
        }
        defer { taken += 1 }
        return outcomes[taken]
    }

    package func sent(_ frame: Frame, by port: PortIndex, at time: Int64, packet: UInt64?) {}

    package func decided(_ verdict: Verdict, packet: UInt64, at time: Int64) {
        var outcome = Outcome(packet: packet, time: time, verdict: verdict)
        if let story = stories.next() {
            (outcome.connection, outcome.isNew) = story.connection
        }
        outcomes.append(outcome)
    }
}

/// A client's connection to a virtual service; ports host order.
package struct ClientFlow: Hashable, Sendable {
    package var transport: TransportProtocol
    package var client: IPAddress
    package var clientPort: UInt16
    package var virtual: IPAddress
    package var virtualPort: UInt16

    var text: String {
        "\(Words.transport(transport)) \(Words.endpoint(client, clientPort)) -> "
            + Words.endpoint(virtual, virtualPort)
    }
}

/// A real server by address and port, host order.
package struct ServerName: Hashable, Sendable {
    package var address: IPAddress
    package var port: UInt16

    package init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    var text: String { Words.endpoint(address, port) }
}

extension ReplaySide.Connected {
    init(_ listing: ConnectionListing) {
        flow = ClientFlow(
            transport: listing.transport, client: listing.client, clientPort: listing.clientPort,
            virtual: listing.virtual, virtualPort: listing.virtualPort)
        server = ServerName(address: listing.real, port: listing.realPort)
    }
}
