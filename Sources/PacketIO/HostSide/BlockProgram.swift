internal import LVS

/// The block as a classic BPF program, for kernels without nft's netdev family.
///
/// It decides as `IngressTable` does, with lists in place of sets; of IPv6 extension headers it knows
/// the fragment header. It sees a frame from its Ethernet header on, without the outermost tag.
struct BlockProgram {
    /// Most instructions the kernel takes (BPF_MAXINSNS).
    static let capacity = 4096

    /// One instruction in 64 bits: operation, jump distances, operand (see `RouteSocket.setFilter`).
    let instructions: [UInt64]

    /// Frames of the foreign VLANs are let by (see `IngressBlock.Interface`).
    init(_ sets: BlockedSets, foreignVLANs: Set<UInt16> = []) {
        let aside: UInt32 = 0xffff_f000  // SKF_AD_OFF: what the kernel knows beside the bytes
        let etherType = Self.load(.word, at: aside)
        let tags = foreignVLANs.sorted().flatMap { Self.when(UInt32($0), [Self.pass]) }
        let tagged = [Self.load(.word, at: aside + 44), Self.and(0xfff)] + tags
        let foreign = tags.isEmpty ? [] : [Self.load(.word, at: aside + 48)] + Self.when(1, tagged)
        instructions =
            foreign + [etherType] + Self.when(0x0800, Self.program(sets, .v4))
            + Self.when(0x86dd, Self.program(sets, .v6)) + [Self.pass]
    }

    /// The part for one family; ends with a verdict.
    private static func program(_ sets: BlockedSets, _ family: AddressFamily) -> [UInt64] {
        let wide = tests(sets, family, [.everyPort])
        let blocks = sets.blocks(family)
        let requests =
            tests(sets, family, [.services, .errors])
            + blocks.flatMap { test($0, family, isWhole: true) }
        let replies = tests(sets, family, [.servers, .everyServerPort])
        let fragments =
            tests(sets, family, [.fragments])
            + blocks.flatMap { test($0, family, isWhole: false) }
        let fragmentReplies = tests(sets, family, [.replies])
        let ours = replies + quotes(sets, family)
        let whole =
            readPorts + requests + wide + tunnels(sets, family) + unlessForHost(sets, family, ours)
        let rest = fragments + wide + unlessForHost(sets, family, fragmentReplies)
        return readHeaders(family) + [recall(.fragmentOffset)] + when(0, whole + [pass])
            + rest + [pass]
    }

    /// Fills the cells that the tests read, except for the ports.
    private static func readHeaders(_ family: AddressFamily) -> [UInt64] {
        guard family == .v6 else {
            return [
                load(.byte, at: 23), store(.transport),
                instruction(0xb1, 14), storeX(.headerLength),  // 4 * (first byte & 15)
                load(.half, at: 20), and(0x1fff), store(.fragmentOffset),
            ]
        }
        let fragmentHeader: UInt32 = 44
        return [
            setX(40), storeX(.headerLength), setX(0), storeX(.fragmentOffset),
            load(.byte, at: 20), store(.transport),
        ]
            + when(
                fragmentHeader,
                [
                    load(.byte, at: 54), store(.transport), setX(48), storeX(.headerLength),
                    load(.half, at: 56), and(0xfff8), store(.fragmentOffset),
                ])
    }

    /// Fills the cells of protocol and port, and the ICMP type; the transport header is there.
    private static var readPorts: [UInt64] {
        [Cell.source, .destination].flatMap { cell in
            [
                recallX(.headerLength), instruction(0x48, cell == .source ? 14 : 16), store(cell),
                recallX(cell), recall(.transport), shiftLeft(16), orX, store(cell),
            ]
        } + [recallX(.headerLength), instruction(0x50, 14), store(.icmpType)]
    }

    private static func tests(
        _ sets: BlockedSets, _ family: AddressFamily, _ names: [BlockedSets.Name]
    ) -> [UInt64] {
        names.flatMap { name in
            let isSource = [.servers, .everyServerPort, .replies].contains(name)
            let offset = isSource ? sourceOffset(family) : destinationOffset(family)
            return Dictionary(grouping: sets[name, family], by: \.address).flatMap { address, own in
                compare(address, at: offset, own.flatMap { test(name, $0, family) })
            }
        }
    }

    /// Drops what is for a block: a whole packet by its port, an ICMP error, any later fragment.
    private static func test(
        _ block: ServedTraffic.Block, _ family: AddressFamily, isWhole: Bool
    ) -> [UInt64] {
        let transport = UInt32(block.transport.rawValue)
        let ports = transport << 16 | UInt32(block.ports.lowerBound)
        let rest = UInt32(block.ports.count - 1)
        let errors = test(.errors, BlockedSets.Element(address: block.network.address), family)
        let tests =
            isWhole
            ? [recall(.destination)] + within(ports, ports + rest, [drop]) + errors
            : [recall(.transport)] + when(transport, [drop])
        return compare(block.network, at: destinationOffset(family), tests)
    }

    /// Drops when the rest of an element, after its address, is that of the frame.
    private static func test(
        _ name: BlockedSets.Name, _ element: BlockedSets.Element, _ family: AddressFamily
    ) -> [UInt64] {
        guard let transport = element.transport else {
            return whenError(family, [3, 4, 11, 12], [drop])
        }
        guard let port = element.port else {
            return [recall(.transport)] + when(UInt32(transport), [drop])
        }
        let cell: Cell = name == .servers ? .source : .destination
        return [recall(cell)] + when(UInt32(transport) << 16 | UInt32(port), [drop])
    }

    /// Jumps over the tests when the frame is for an address of the host.
    private static func unlessForHost(
        _ sets: BlockedSets, _ family: AddressFamily, _ tests: [UInt64]
    ) -> [UInt64] {
        guard !tests.isEmpty else { return [] }
        return sets[.host, family].reduce(tests) { rest, host in
            compare(host.address, at: destinationOffset(family), [jump(rest.count)]) + rest
        }
    }

    /// Runs a block for an ICMP error of these types; of ICMPv6 for every error.
    static func whenError(
        _ family: AddressFamily, _ types: [UInt32], _ block: [UInt64]
    ) -> [UInt64] {
        guard family == .v4 else {
            return [recall(.transport)] + when(58, [recall(.icmpType)] + whenBelow(128, block))
        }
        return [recall(.transport)] + when(1, [recall(.icmpType)] + when(anyOf: types, block))
    }

    private static func destinationOffset(_ family: AddressFamily) -> UInt32 {
        family == .v4 ? 30 : 38
    }

    private static func sourceOffset(_ family: AddressFamily) -> UInt32 {
        family == .v4 ? 26 : 22
    }

    /// Runs a block when the frame has this address at this offset.
    private static func compare(
        _ address: IPAddress, at offset: UInt32, _ block: [UInt64]
    ) -> [UInt64] {
        guard !address.isV4 else { return [load(.word, at: offset)] + when(address.v4, block) }
        let words = [address.wireHigh >> 32, address.wireHigh, address.low >> 32, address.low]
        return words.enumerated().reversed().reduce(block) { inner, word in
            [load(.word, at: offset + UInt32(4 * word.offset))]
                + when(UInt32(truncatingIfNeeded: word.element), inner)
        }
    }
}

extension BlockProgram {
    /// Runs a block when the frame's address at this offset lies in a network.
    private static func compare(
        _ network: MarkRule.Prefix, at offset: UInt32, _ block: [UInt64]
    ) -> [UInt64] {
        let (address, mask) = (network.address, network.mask)
        let pairs = [
            (address.high >> 32, mask.high >> 32), (address.high, mask.high),
            (address.low >> 32, mask.low >> 32), (address.low, mask.low),
        ].map { (UInt32(truncatingIfNeeded: $0.0), UInt32(truncatingIfNeeded: $0.1)) }
        // Of an IPv4 address only the last word is in the frame.
        let words = address.isV4 ? [pairs[3]] : pairs
        return words.enumerated().reversed().reduce(block) { inner, word in
            guard word.element.1 != 0 else { return inner }
            return [load(.word, at: offset + UInt32(4 * word.offset)), and(word.element.1)]
                + when(word.element.0, inner)
        }
    }

    /// Runs a block when the accumulator lies between two values, both included.
    private static func within(_ first: UInt32, _ last: UInt32, _ block: [UInt64]) -> [UInt64] {
        let rest = [instruction(0x25 | 1 << 24, last), jump(block.count)] + block  // A > last
        return [instruction(0x35 | 1 << 16, first), jump(rest.count)] + rest  // A >= first
    }
}

// The few instructions that are needed, as linux/filter.h numbers them.
extension BlockProgram {
    /// Memory of the running program.
    enum Cell: UInt32 {
        case transport = 0
        /// Protocol << 16 | port.
        case destination = 1
        case source = 2
        case icmpType = 3
        /// Bytes of the IP header and of what lies between it and the transport header.
        case headerLength = 4
        case fragmentOffset = 5
        /// Protocol << 16 | destination port of a quoted packet.
        case quoted = 6
    }

    enum Width: UInt32 {
        case word = 0x20
        case half = 0x28
        case byte = 0x30
    }

    static let drop = instruction(0x06, 2)  // TC_ACT_SHOT
    static let pass = instruction(0x06, 0xffff_ffff)  // TC_ACT_UNSPEC: others may decide

    static func load(_ width: Width, at offset: UInt32) -> UInt64 {
        instruction(width.rawValue, offset)
    }

    /// A load from so many bytes behind where X says.
    static func load(_ width: Width, behindX offset: UInt32) -> UInt64 {
        instruction(width.rawValue + 0x20, offset)
    }

    static func recall(_ cell: Cell) -> UInt64 { instruction(0x60, cell.rawValue) }

    static func recallX(_ cell: Cell) -> UInt64 { instruction(0x61, cell.rawValue) }

    static func store(_ cell: Cell) -> UInt64 { instruction(0x02, cell.rawValue) }

    private static func storeX(_ cell: Cell) -> UInt64 { instruction(0x03, cell.rawValue) }

    private static func setX(_ value: UInt32) -> UInt64 { instruction(0x01, value) }

    private static func and(_ mask: UInt32) -> UInt64 { instruction(0x54, mask) }

    static func jump(_ distance: Int) -> UInt64 { instruction(0x05, UInt32(distance)) }

    /// Runs a block of any length when the accumulator holds this value.
    static func when(_ value: UInt32, _ block: [UInt64]) -> [UInt64] {
        // Conditional jumps reach 255 instructions only.
        [instruction(0x15 | 1 << 16, value), jump(block.count)] + block
    }

    /// Runs one block when the accumulator holds one of these values, else another.
    static func when(
        anyOf values: [UInt32], _ block: [UInt64], else other: [UInt64] = []
    ) -> [UInt64] {
        let tests = values.enumerated().map { position, value in
            // Over the tests that follow and the jump.
            instruction(0x15 | UInt32(values.count - position) << 16, value)
        }
        let otherwise = other.isEmpty ? [] : [jump(other.count)] + other
        let skipped = block.count + (other.isEmpty ? 0 : 1)
        return tests + [jump(skipped)] + block + otherwise
    }

    /// Runs a block when the accumulator is below a value.
    static func whenBelow(_ value: UInt32, _ block: [UInt64]) -> [UInt64] {
        [instruction(0x35 | 1 << 24, value), jump(block.count)] + block
    }

    static func shiftLeft(_ bits: UInt32) -> UInt64 { instruction(0x64, bits) }

    static func shiftRight(_ bits: UInt32) -> UInt64 { instruction(0x74, bits) }

    /// A |= X.
    static let orX = instruction(0x4c, 0)

    private static func instruction(_ operation: UInt32, _ operand: UInt32) -> UInt64 {
        UInt64(operand) << 32 | UInt64(operation)
    }
}
