internal import LVS

// ICMP errors about packets to NAT servers: what the error quotes decides.
extension BlockProgram {
    /// Drops an error about a packet to a server, in the same places of the quote as `IngressTable`.
    static func quotes(_ sets: BlockedSets, _ family: AddressFamily) -> [UInt64] {
        let hidden = sets[.quotedAddress, family].flatMap { compare($0.address, [drop]) }
        guard !hidden.isEmpty else { return [] }
        return quotes(
            family, exact: quoteTests(sets, family, [.quoted, .quotedEveryPort]), hidden: hidden)
    }

    /// Drops an error about a packet in a tunnel of the director's.
    static func tunnels(_ sets: BlockedSets, _ family: AddressFamily) -> [UInt64] {
        let exact = quoteTests(sets, family, [.tunnels, .tunnelsWithoutPort])
        return exact.isEmpty ? [] : quotes(family, exact: exact, hidden: [])
    }

    private static func quoteTests(
        _ sets: BlockedSets, _ family: AddressFamily, _ names: [BlockedSets.Name]
    ) -> [UInt64] {
        names.flatMap { name in
            Dictionary(grouping: sets[name, family], by: \.address).flatMap { address, own in
                compare(address, own.flatMap(test))
            }
        }
    }

    /// Runs one block where a quoted packet has its ports behind a plain header, and another where it
    /// has not.
    private static func quotes(
        _ family: AddressFamily, exact tests: [UInt64], hidden: [UInt64]
    ) -> [UInt64] {
        let exact = readQuotedPort(family) + tests
        let behind: [UInt64]
        if family == .v4 {
            behind =
                [load(.byte, behindX: quote)] + when(anyOf: [0x45], exact, else: hidden)
        } else {
            behind =
                [load(.byte, behindX: quote + 6)]
                + when(anyOf: [0, 43, 44, 60], hidden, else: exact)
        }
        return whenError(family, [3, 4, 11], [recallX(.headerLength)] + behind)
    }

    /// Where the quoted packet begins behind the IP header's length: Ethernet and ICMP header.
    private static let quote: UInt32 = 14 + 8

    /// Fills the cell of the quoted packet's protocol and destination port; X stays as it is.
    private static func readQuotedPort(_ family: AddressFamily) -> [UInt64] {
        let (transport, port): (UInt32, UInt32) = family == .v4 ? (9, 22) : (6, 42)
        return [
            load(.half, behindX: quote + port), store(.quoted),
            load(.byte, behindX: quote + transport), shiftLeft(16), recallX(.quoted), orX,
            store(.quoted), recallX(.headerLength),
        ]
    }

    private static func test(_ element: BlockedSets.Element) -> [UInt64] {
        let transport = UInt32(element.transport ?? 0)
        guard let port = element.port else {
            return [recall(.quoted), shiftRight(16)] + when(transport, [drop])
        }
        return [recall(.quoted)] + when(transport << 16 | UInt32(port), [drop])
    }

    /// Runs a block when the quoted packet went to this address.
    private static func compare(_ address: IPAddress, _ block: [UInt64]) -> [UInt64] {
        guard !address.isV4 else {
            return [load(.word, behindX: quote + 16)] + when(address.v4, block)
        }
        let words = [address.wireHigh >> 32, address.wireHigh, address.low >> 32, address.low]
        return words.enumerated().reversed().reduce(block) { inner, word in
            [load(.word, behindX: quote + 24 + UInt32(4 * word.offset))]
                + when(UInt32(truncatingIfNeeded: word.element), inner)
        }
    }
}
