/// What a service asks of TCP connections to servers with FULLNAT; all of it is off unless asked for.
package struct FullNATOptions: Hashable, Sendable {
    /// How a server learns the client's address, which FULLNAT hides from it.
    package enum ClientAddress: UInt8, CaseIterable, Sendable {
        case hidden = 0
        /// A TCP option in the client's packets until the server has sent something (as DPVS does).
        case toa = 1
        /// The same, and already in the SYN (as the Alibaba version does).
        case toaFromSYN = 2
        /// The PROXY protocol's line of text, before the client's first byte.
        case proxyV1 = 3
        /// The PROXY protocol's binary header.
        case proxyV2 = 4
    }

    package var clientAddress = ClientAddress.hidden
    /// Connections begin with an initial sequence number of the director's own, so that a server takes
    /// the early reuse of a local port for a new connection.
    package var startsSequenceAnew = false
    /// Timestamps (RFC 7323) are taken out of SYNs: clients behind one local address have clocks that
    /// do not agree.
    package var removesTimestamps = false

    package init() {}

    package static let none = FullNATOptions()

    /// Whether the server learns the client's address by a TCP option.
    var usesOption: Bool { clientAddress == .toa || clientAddress == .toaFromSYN }

    /// All of it in one byte: client address 4 bits | numbers begin anew 1 | no timestamps 1.
    package var word: UInt8 {
        clientAddress.rawValue | (startsSequenceAnew ? 0x10 : 0) | (removesTimestamps ? 0x20 : 0)
    }

    /// What a byte says; an unknown way to tell the client's address is none.
    package init(word: UInt8) {
        clientAddress = ClientAddress(rawValue: word & 0xf) ?? .hidden
        startsSequenceAnew = word & 0x10 != 0
        removesTimestamps = word & 0x20 != 0
    }
}
