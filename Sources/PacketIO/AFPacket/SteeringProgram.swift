internal import LVS

/// The program that chooses the worker for each frame of an interface: both directions of a flow meet
/// the same one, by NAT and by direct routing, with one interface or several.
///
/// What both directions of a flow share is the client, its address and port: the source of requests,
/// the destination of replies. A frame is a reply when its source is a real server that NAT serves
/// from and its destination no virtual address; the map of served traffic knows both (`BlockedSets`).
/// Fragments go by the address alone, so that all of a datagram meet. What is no IP goes to the first
/// worker. Registers: r6 the packet, r7 the protocol, then the hash, r8 where the transport header
/// begins (0: no ports), r9 where the client's port lies in it.
struct SteeringProgram {
    /// Bytes of the stack, counted from its end.
    private enum Place {
        static let destination = -24
        static let source = -48
        /// 40 bytes: an IP header.
        static let header = -88
        /// Eight bytes: an extension header, or a port.
        static let piece = -96
    }

    private static let lookUpElement: UInt32 = 1
    private static let loadBytes: UInt32 = 26
    /// Headers of IPv6 before the transport header that are looked behind.
    private static let mostExtensions = 4
    /// An odd number without a pattern (2^32 divided by the golden ratio, negated).
    private static let factor: Int32 = 0x61c8_8647

    private var code = Assembler()
    private let map: Int32
    private let otherLabel: Assembler.Label

    /// The instructions; `map` is that of served traffic.
    static func instructions(map: Int32) -> [UInt64] {
        var program = SteeringProgram(map: map)
        program.write()
        guard let instructions = program.code.instructions else {
            preconditionFailure("the program is some hundred instructions long")
        }
        return instructions
    }

    private init(map: Int32) {
        self.map = map
        otherLabel = code.label()
    }

    private mutating func write() {
        code.calculate(.move, .r6, .r1)
        code.load(.word, .r2, .r6, 16)  // the EtherType
        for family in [AddressFamily.v4, .v6] {
            let other = code.label()
            let type: UInt16 = family == .v4 ? 0x0800 : 0x86dd
            code.jump(if: .r2, .different, value: UInt32(type.byteSwapped), to: other)
            if family == .v4 { readIPv4() } else { readIPv6() }
            choose(family)
            code.place(other)
        }
        code.place(otherLabel)
        code.calculate(.move, .r0, value: 0)
        code.exit()
    }

    /// Copies bytes of the packet to the stack; r0 is not 0 when it has fewer.
    private mutating func read(_ count: Int32, to place: Int) {
        code.calculate(.move, .r1, .r6)
        code.calculate(.move, .r3, .r10)
        code.calculate(.add, .r3, value: Int32(place))
        code.calculate(.move, .r4, value: count)
        code.call(Self.loadBytes)
    }

    private mutating func readIPv4() {
        code.calculate(.move, .r2, value: 0)
        read(20, to: Place.header)
        code.jump(if: .r0, .different, value: 0, to: otherLabel)
        for (key, offset) in [(Place.destination, 16), (Place.source, 12)] {
            code.store(.double, .r10, key + 8, value: 0)
            code.store(.word, .r10, key + 16, value: 0xffff_0000)
            code.load(.word, .r2, .r10, Place.header + offset)
            code.store(.word, .r10, key + 20, .r2)
        }
        let done = code.label()
        code.load(.byte, .r7, .r10, Place.header + 9)
        code.calculate(.move, .r8, value: 0)
        code.load(.half, .r2, .r10, Place.header + 6)
        code.calculate(.and, .r2, value: 0xff3f)  // "more" and the offset's 13 bits
        code.jump(if: .r2, .different, value: 0, to: done)
        code.load(.byte, .r8, .r10, Place.header)
        code.calculate(.and, .r8, value: 0xf)
        code.calculate(.shiftLeft, .r8, value: 2)
        code.place(done)
    }

    private mutating func readIPv6() {
        code.calculate(.move, .r2, value: 0)
        read(40, to: Place.header)
        code.jump(if: .r0, .different, value: 0, to: otherLabel)
        for (key, offset) in [(Place.destination, 24), (Place.source, 8)] {
            for half in [0, 8] {
                code.load(.double, .r2, .r10, Place.header + offset + half)
                code.store(.double, .r10, key + 8 + half, .r2)
            }
        }
        let done = code.label()
        code.load(.byte, .r7, .r10, Place.header + 6)
        code.calculate(.move, .r8, value: 40)
        for _ in 0..<Self.mostExtensions {
            let options = code.label()
            for kind: UInt32 in [0, 43, 60] {
                code.jump(if: .r7, .equal, value: kind, to: options)
            }
            code.jump(if: .r7, .different, value: 44, to: done)
            code.calculate(.move, .r2, .r8)
            read(8, to: Place.piece)
            code.jump(if: .r0, .different, value: 0, to: otherLabel)
            code.load(.byte, .r7, .r10, Place.piece)
            code.calculate(.move, .r8, value: 0)
            code.jump(to: done)
            code.place(options)
            code.calculate(.move, .r2, .r8)
            read(8, to: Place.piece)
            code.jump(if: .r0, .different, value: 0, to: otherLabel)
            code.load(.byte, .r7, .r10, Place.piece)
            code.load(.byte, .r2, .r10, Place.piece + 1)
            code.calculate(.shiftLeft, .r2, value: 3)
            code.calculate(.add, .r8, .r2)
            code.calculate(.add, .r8, value: 8)
        }
        code.place(done)
    }

    /// Finds the client and ends with its hash.
    private mutating func choose(_ family: AddressFamily) {
        let (request, reply, hash) = (code.label(), code.label(), code.label())
        lookUp(.fragments, family, Place.destination)
        code.jump(if: .r0, .different, value: 0, to: request)
        lookUp(.replies, family, Place.source)
        code.jump(if: .r0, .different, value: 0, to: reply)
        code.place(request)
        forgetPortsOfOthers()
        fold(Place.source)
        code.calculate(.move, .r9, value: 0)
        code.jump(to: hash)
        code.place(reply)
        forgetPortsOfOthers()
        fold(Place.destination)
        code.calculate(.move, .r9, value: 2)
        code.place(hash)
        mix()
        let done = code.label()
        code.jump(if: .r8, .equal, value: 0, to: done)
        code.calculate(.move, .r2, .r8)
        code.calculate(.add, .r2, .r9)
        read(2, to: Place.piece)
        code.jump(if: .r0, .different, value: 0, to: done)
        code.load(.half, .r2, .r10, Place.piece)
        code.calculate(.add, .r7, .r2)
        mix()
        code.place(done)
        // 31 bits: below 0 are the kernel's errors.
        code.calculate(.shiftRight, .r7, value: 33)
        code.calculate(.move, .r0, .r7)
        code.exit()
    }

    /// Looks an address of the protocol up in a set: r0 is 0 when it is not there.
    private mutating func lookUp(_ set: BlockedSets.Name, _ family: AddressFamily, _ key: Int) {
        code.calculate(.move, .r2, .r7)
        code.calculate(.shiftLeft, .r2, value: 8)
        code.calculate(.or, .r2, value: Int32(RedirectKey.number(of: set, family)))
        code.store(.double, .r10, key, .r2)
        code.load(map: map, .r1)
        code.calculate(.move, .r2, .r10)
        code.calculate(.add, .r2, value: Int32(key))
        code.call(Self.lookUpElement)
    }

    /// Only TCP, UDP and SCTP have ports where the program looks for them.
    private mutating func forgetPortsOfOthers() {
        let known = code.label()
        for transport: UInt32 in [6, 17, 132] {
            code.jump(if: .r7, .equal, value: transport, to: known)
        }
        code.calculate(.move, .r8, value: 0)
        code.place(known)
    }

    /// Makes one number of an address.
    private mutating func fold(_ key: Int) {
        code.load(.double, .r7, .r10, key + 8)
        code.calculate(.multiply, .r7, value: Self.factor)
        code.load(.double, .r2, .r10, key + 16)
        code.calculate(.exclusiveOr, .r7, .r2)
    }

    /// Brings every bit of r7 to bear on its upper half.
    private mutating func mix() {
        code.calculate(.move, .r2, .r7)
        code.calculate(.shiftRight, .r2, value: 32)
        code.calculate(.exclusiveOr, .r7, .r2)
        code.calculate(.multiply, .r7, value: Self.factor)
    }
}
