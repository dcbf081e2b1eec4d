/// What looks above layer 4: helpers by the virtual port of connections, engines by their name.
///
/// Adding one is adding a row here and its file.
enum HelperRegistry {
    /// Helpers work on connections of NAT alone, the only ones whose both directions pass by.
    static let helpers: [(transport: TransportProtocol, port: UInt16)] = [
        (.tcp, FTP.controlPort)
    ]

    /// True when a helper looks at the packets of such a connection.
    static func helps(_ spec: ConnectionSpec) -> Bool {
        guard spec.method == .masquerading, !spec.isTemplate else { return false }
        return helpers.contains { $0.transport == spec.transport && $0.port == spec.virtualPort }
    }
}

/// A persistence engine: tells templates of one client apart by what the packets say.
package enum PersistenceEngine: UInt8, CaseIterable, Sendable {
    case sip = 1

    /// The name in commands and listings.
    package var name: String {
        switch self {
        case .sip: "sip"
        }
    }

    package init?(name: String) {
        guard let engine = PersistenceEngine.allCases.first(where: { $0.name == name }) else {
            return nil
        }
        self = engine
    }

    /// The part of a packet's payload that decides; nil when there is none, and the packet must not
    /// be scheduled.
    func key(of packet: Packet) -> EngineKey? {
        switch self {
        case .sip:
            guard packet.transport == .udp, let text = packet.payload,
                let range = SIP.callID(in: text)
            else { return nil }
            return EngineKey(text: text, range: range)
        }
    }
}

/// What a persistence engine found in a packet; good until the frame is written to.
struct EngineKey {
    var text: Payload
    var range: Range<Int>

    /// A hash of it that is never 0, and that nobody can foretell without the seed.
    func tag(_ seed: (UInt64, UInt64)) -> UInt64 { EngineKey.tag(of: text, range, seed) }

    /// The same of a part of any text.
    static func tag(
        of text: some ByteText, _ range: Range<Int>, _ seed: (UInt64, UInt64)
    ) -> UInt64 {
        let hash = SipHash13.hash(text, range, key: seed)
        return hash == 0 ? 1 : hash
    }
}

extension ConnectionSpec {
    /// Gives the connection a helper's line when one looks at its packets.
    package mutating func bindHelper() {
        guard HelperRegistry.helps(self) else { return }
        hasHelper = true
        extraLines += 1
    }
}
