package import LVS

/// Why a packet went where it went: the pipeline's own story of it, with the names of the director
/// that it passed.
///
/// ```
/// let story = director.workers[0].story(of: frame, on: 0, now: now)
/// print(Explanation(story, of: director).text)
/// ```
package struct Explanation: Sendable {
    let story: Story
    /// Names of the served interfaces.
    let interfaces: [PortIndex: String]
    /// Every field of the headers, before and after; empty when no frame is left of the packet.
    let headers: [HeaderChange]
    /// Ports that GUE tunnels lead to.
    private let guePorts: Set<UInt16>

    package init(_ story: Story, of director: Director) {
        self.story = story
        interfaces = Dictionary(
            director.ports.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
        let tunnels: [UInt16] = director.services().flatMap(\.servers).compactMap { listing in
            if case .gue(let port, _) = listing.server.tunnel { return port }
            return nil
        }
        let guePorts = Set(tunnels)
        self.guePorts = guePorts
        let before = HeaderLayer.layers(of: story.arrived.bytes, guePorts: guePorts)
        let after = story.left.map { HeaderLayer.layers(of: $0.bytes, guePorts: guePorts) }
        headers = after.map { HeaderChange.changes(from: before, to: $0) } ?? []
    }

    /// A story without the headers of its frames, which take longer than all the rest.
    init(_ story: Story, interfaces: [PortIndex: String]) {
        self.story = story
        self.interfaces = interfaces
        headers = []
        guePorts = []
    }

    /// The name of an interface, or its number.
    func interface(_ port: PortIndex) -> String { interfaces[port] ?? "interface \(port)" }

    /// The headers of a frame that was made because of the packet.
    func layers(of made: Story.Made) -> [HeaderLayer] {
        HeaderLayer.layers(of: made.sent.bytes, guePorts: guePorts)
    }

    /// The headers as the packet came in.
    var layersBefore: [HeaderLayer] {
        HeaderLayer.layers(of: story.arrived.bytes, guePorts: guePorts)
    }

    /// What became of the packet, one word: `send`, `host`, `drop`, `made` for one that other frames
    /// were made of, `kept`.
    package var outcome: String {
        switch story.verdict.kind {
        case .send: "send"
        case .pass: "host"
        case .drop: "drop"
        case .consumed: story.made.contains { $0.verdict.kind == .send } ? "made" : "kept"
        }
    }

    /// The real server that the packet's connection has, host order port; nil without a connection.
    package var server: (address: IPAddress, port: UInt16)? {
        for step in story.steps.reversed() {
            switch step {
            case .connected(let listing, _): return (listing.real, listing.realPort)
            case .lookedUp(let look):
                if let found = look.found { return (found.real, found.realPort) }
            default: break
            }
        }
        return nil
    }
}
