internal import LVS

/// The XDP program of one interface: what `ServedTraffic` takes for the director's own is redirected
/// to the AF_XDP socket of the receive queue, everything else goes on to the host.
///
/// It decides as `IngressTable` does, by one map of all sets (`RedirectKey`); what never changes
/// between two services (the interface's own address, VLANs of the host, blocks of addresses) stands
/// in the program, which is replaced when that changes. Registers: r6 the context, r7 the frame (four
/// bytes further behind a VLAN tag, so that the IP header is always at 14), r8 its end, r9 the
/// transport header.
struct RedirectProgram {
    /// What the program is made for.
    struct Subject: Equatable {
        /// MAC address of the interface.
        var station: UInt64
        /// VLANs that the host serves by interfaces of its own.
        var hostVLANs: Set<UInt16> = []
        /// What is served in blocks of addresses and ports.
        var blocks: Set<ServedTraffic.Block> = []
        /// Whether every IPv4 and IPv6 frame to the station is the director's.
        var takesEverything = false
    }

    /// The program's answers (XDP_DROP, XDP_PASS).
    static let drop: Int32 = 1
    static let pass: Int32 = 2

    /// Bytes of the stack, counted from its end: the keys of the destination, of the source and of
    /// a quoted destination, each with its head (protocol and port, no set) behind it.
    private enum Place {
        static let destination = -24
        static let source = -48
        static let quoted = -72
        static let destinationHead = -80
        static let sourceHead = -88
        static let quotedHead = -96
        /// The protocol alone.
        static let transportHead = -104
        static let quotedTransportHead = -112
        static let transport = -120
        static let lateFragment = -128
    }

    /// Headers of IPv6 before the transport header that are looked behind.
    private static let mostExtensions = 4
    private static let lookUpElement: UInt32 = 1
    private static let redirectMap: UInt32 = 51

    private var code = Assembler()
    private let map: Int32
    private let passLabel: Assembler.Label
    private let redirectLabel: Assembler.Label

    /// The instructions; nil when there are more blocks than a program has room for.
    ///
    /// `withoutSocket` is what becomes of a frame when its queue has no socket.
    static func instructions(
        _ subject: Subject, map: Int32, sockets: Int32, withoutSocket: Int32 = pass
    ) -> [UInt64]? {
        var program = RedirectProgram(map: map)
        program.write(subject, sockets: sockets, withoutSocket: withoutSocket)
        return program.code.instructions
    }

    private init(map: Int32) {
        self.map = map
        passLabel = code.label()
        redirectLabel = code.label()
    }

    private mutating func write(_ subject: Subject, sockets: Int32, withoutSocket: Int32) {
        code.calculate(.move, .r6, .r1)
        code.load(.word, .r7, .r6, 0)
        code.load(.word, .r8, .r6, 4)
        need(14, behind: .r7)
        isForStation(subject.station)
        let network = code.label()
        code.load(.half, .r2, .r7, 12)
        let tag = code.label()
        for type in [UInt16(0x8100), 0x88a8] {
            code.jump(if: .r2, .equal, value: UInt32(type.byteSwapped), to: tag)
        }
        code.jump(to: network)
        code.place(tag)
        need(18, behind: .r7)
        code.load(.half, .r2, .r7, 14)
        code.fromNetwork(.half, .r2)
        code.calculate(.and, .r2, value: 0xfff)
        for id in subject.hostVLANs.sorted() {
            code.jump(if: .r2, .equal, value: UInt32(id), to: passLabel)
        }
        code.calculate(.add, .r7, value: 4)
        code.load(.half, .r2, .r7, 12)
        code.place(network)
        for family in [AddressFamily.v4, .v6] {
            let other = code.label()
            let type: UInt16 = family == .v4 ? 0x0800 : 0x86dd
            code.jump(if: .r2, .different, value: UInt32(type.byteSwapped), to: other)
            if subject.takesEverything {
                code.jump(to: redirectLabel)
            } else {
                readHeaders(family)
                decide(family, subject.blocks.filter { $0.network.address.family == family })
            }
            code.place(other)
        }
        code.place(passLabel)
        code.calculate(.move, .r0, value: Self.pass)
        code.exit()
        code.place(redirectLabel)
        code.load(map: sockets, .r1)
        code.load(.word, .r2, .r6, 16)  // the receive queue
        code.calculate(.move, .r3, value: withoutSocket)
        code.call(Self.redirectMap)
        code.exit()
    }

    /// Goes on only when the frame has so many bytes behind a register.
    private mutating func need(_ count: Int32, behind base: Assembler.Register) {
        code.calculate(.move, .r1, base)
        code.calculate(.add, .r1, value: count)
        code.jump(if: .r1, .above, .r8, to: passLabel)
    }

    private mutating func isForStation(_ station: UInt64) {
        let first = UInt32(truncatingIfNeeded: station >> 16).byteSwapped
        let last = UInt16(truncatingIfNeeded: station).byteSwapped
        code.load(.word, .r2, .r7, 0)
        code.jump(if: .r2, .different, value: first, to: passLabel)
        code.load(.half, .r2, .r7, 4)
        code.jump(if: .r2, .different, value: UInt32(last), to: passLabel)
    }

    // Headers.

    /// Puts addresses, protocol and the first fragment's question on the stack, and the transport
    /// header's address into r9.
    private mutating func readHeaders(_ family: AddressFamily) {
        if family == .v4 { readIPv4() } else { readIPv6() }
        code.load(.byte, .r2, .r10, Place.transport)
        code.calculate(.shiftLeft, .r2, value: 8)
        code.store(.double, .r10, Place.transportHead, .r2)
    }

    private mutating func readIPv4() {
        need(34, behind: .r7)
        for (key, offset) in [(Place.destination, 30), (Place.source, 26)] {
            code.store(.double, .r10, key + 8, value: 0)
            code.store(.word, .r10, key + 16, value: 0xffff_0000)
            code.load(.word, .r2, .r7, offset)
            code.store(.word, .r10, key + 20, .r2)
        }
        code.load(.byte, .r2, .r7, 23)
        code.store(.byte, .r10, Place.transport, .r2)
        code.load(.half, .r2, .r7, 20)
        code.calculate(.and, .r2, value: 0xff1f)  // the offset's 13 bits
        code.store(.double, .r10, Place.lateFragment, .r2)
        code.load(.byte, .r2, .r7, 14)
        code.calculate(.and, .r2, value: 0xf)
        code.jump(if: .r2, .below, value: 5, to: passLabel)
        code.calculate(.shiftLeft, .r2, value: 2)
        code.calculate(.move, .r9, .r7)
        code.calculate(.add, .r9, .r2)
        code.calculate(.add, .r9, value: 14)
    }

    private mutating func readIPv6() {
        need(54, behind: .r7)
        for (key, offset) in [(Place.destination, 38), (Place.source, 22)] {
            for half in [0, 8] {
                code.load(.double, .r2, .r7, offset + half)
                code.store(.double, .r10, key + 8 + half, .r2)
            }
        }
        code.store(.double, .r10, Place.lateFragment, value: 0)
        code.calculate(.move, .r9, .r7)
        code.calculate(.add, .r9, value: 54)
        code.load(.byte, .r3, .r7, 20)
        let done = code.label()
        for _ in 0..<Self.mostExtensions {
            let (fragment, options, next) = (code.label(), code.label(), code.label())
            code.jump(if: .r3, .equal, value: 44, to: fragment)
            for kind: UInt32 in [0, 43, 60] {
                code.jump(if: .r3, .equal, value: kind, to: options)
            }
            code.jump(to: done)
            code.place(fragment)
            need(8, behind: .r9)
            code.load(.byte, .r3, .r9, 0)
            code.load(.half, .r2, .r9, 2)
            code.calculate(.and, .r2, value: 0xf8ff)
            code.store(.double, .r10, Place.lateFragment, .r2)
            code.calculate(.add, .r9, value: 8)
            // Behind a later fragment's header there is none.
            code.jump(if: .r2, .different, value: 0, to: done)
            code.jump(to: next)
            code.place(options)
            need(8, behind: .r9)
            code.load(.byte, .r3, .r9, 0)
            code.load(.byte, .r2, .r9, 1)
            code.calculate(.shiftLeft, .r2, value: 3)
            code.calculate(.add, .r9, .r2)
            code.calculate(.add, .r9, value: 8)
            code.place(next)
        }
        code.place(done)
        code.store(.byte, .r10, Place.transport, .r3)
    }

    /// Puts the heads with both ports on the stack; a frame too short for them passes.
    private mutating func readPorts() {
        need(4, behind: .r9)
        for (head, offset) in [(Place.sourceHead, 0), (Place.destinationHead, 2)] {
            code.load(.half, .r2, .r9, offset)
            code.calculate(.shiftLeft, .r2, value: 16)
            code.load(.double, .r3, .r10, Place.transportHead)
            code.calculate(.or, .r2, .r3)
            code.store(.double, .r10, head, .r2)
        }
    }

    // Decisions, in the order of `IngressTable`: cheapest for the frames that are most.

    /// Redirects or passes a frame whose headers were read.
    private mutating func decide(_ family: AddressFamily, _ blocks: Set<ServedTraffic.Block>) {
        let late = code.label()
        code.load(.double, .r2, .r10, Place.lateFragment)
        code.jump(if: .r2, .different, value: 0, to: late)
        readPorts()
        redirect(.services, family, Place.destination, Place.destinationHead)
        redirectReplies(.servers, family, Place.sourceHead)
        redirect(.everyPort, family, Place.destination, Place.transportHead)
        redirectReplies(.everyServerPort, family, Place.transportHead)
        for block in blocks { redirect(block, family, isLate: false) }
        redirectErrors(family, blocks)
        code.jump(to: passLabel)
        code.place(late)
        redirect(.fragments, family, Place.destination, Place.transportHead)
        redirect(.everyPort, family, Place.destination, Place.transportHead)
        redirectReplies(.replies, family, Place.transportHead)
        for block in blocks { redirect(block, family, isLate: true) }
        code.jump(to: passLabel)
    }

    /// Looks an address, with what stands at `head`, up in a set: r0 is 0 when it is not there.
    private mutating func lookUp(
        _ set: BlockedSets.Name, _ family: AddressFamily, _ key: Int, _ head: Int?
    ) {
        let number = Int32(RedirectKey.number(of: set, family))
        if let head {
            code.load(.double, .r2, .r10, head)
            code.calculate(.or, .r2, value: number)
        } else {
            code.calculate(.move, .r2, value: number)
        }
        code.store(.double, .r10, key, .r2)
        code.load(map: map, .r1)
        code.calculate(.move, .r2, .r10)
        code.calculate(.add, .r2, value: Int32(key))
        code.call(Self.lookUpElement)
    }

    private mutating func redirect(
        _ set: BlockedSets.Name, _ family: AddressFamily, _ key: Int, _ head: Int?
    ) {
        lookUp(set, family, key, head)
        code.jump(if: .r0, .different, value: 0, to: redirectLabel)
    }

    /// A real server's answer is the director's unless it is for the host itself.
    private mutating func redirectReplies(
        _ set: BlockedSets.Name, _ family: AddressFamily, _ head: Int
    ) {
        let miss = code.label()
        lookUp(set, family, Place.source, head)
        code.jump(if: .r0, .equal, value: 0, to: miss)
        lookUp(.host, family, Place.destination, nil)
        code.jump(if: .r0, .equal, value: 0, to: redirectLabel)
        code.place(miss)
    }

    /// Redirects what is for a block: a whole packet by its port, any later fragment.
    private mutating func redirect(
        _ block: ServedTraffic.Block, _ family: AddressFamily, isLate: Bool
    ) {
        let other = code.label()
        jump(unlessIn: block.network, family, to: other)
        code.load(.byte, .r2, .r10, Place.transport)
        code.jump(
            if: .r2, .different, value: UInt32(block.transport.rawValue), to: other)
        if !isLate, block.ports != 0...UInt16.max {
            code.load(.half, .r2, .r9, 2)
            code.fromNetwork(.half, .r2)
            code.jump(if: .r2, .below, value: UInt32(block.ports.lowerBound), to: other)
            code.jump(if: .r2, .above, value: UInt32(block.ports.upperBound), to: other)
        }
        code.jump(to: redirectLabel)
        code.place(other)
    }

    /// Jumps away when the frame's destination does not lie in a network.
    private mutating func jump(
        unlessIn network: MarkRule.Prefix, _ family: AddressFamily, to label: Assembler.Label
    ) {
        let (address, mask) = (network.address, network.mask)
        let last = [(address.low >> 32, mask.low >> 32), (address.low, mask.low)]
        let first = [(address.high >> 32, mask.high >> 32), (address.high, mask.high)]
        let words = family == .v4 ? [last[1]] : first + last
        for (position, word) in words.enumerated() {
            let bits = UInt32(truncatingIfNeeded: word.1)
            guard bits != 0 else { continue }
            code.load(.word, .r2, .r7, (family == .v4 ? 30 : 38) + 4 * position)
            code.fromNetwork(.word, .r2)
            code.calculate(.and, .r2, value: Int32(bitPattern: bits))
            code.jump(
                if: .r2, .different, value: UInt32(truncatingIfNeeded: word.0), to: label)
        }
    }

    /// Errors to served addresses, and those about packets to real servers and in tunnels.
    private mutating func redirectErrors(
        _ family: AddressFamily, _ blocks: Set<ServedTraffic.Block>
    ) {
        let isError = code.label()
        code.load(.byte, .r2, .r10, Place.transport)
        code.jump(
            if: .r2, .different, value: family == .v4 ? 1 : 58, to: passLabel)
        code.load(.byte, .r2, .r9, 0)
        if family == .v4 {
            for type: UInt32 in [3, 4, 11, 12] {
                code.jump(if: .r2, .equal, value: type, to: isError)
            }
            code.jump(to: passLabel)
        } else {
            code.jump(if: .r2, .atLeast, value: 128, to: passLabel)
        }
        code.place(isError)
        redirect(.errors, family, Place.destination, nil)
        for block in blocks {
            let other = code.label()
            jump(unlessIn: block.network, family, to: other)
            code.jump(to: redirectLabel)
            code.place(other)
        }
        if family == .v4 {
            // Parameter problems are the host's where they are not for a virtual address.
            code.load(.byte, .r2, .r9, 0)
            code.jump(if: .r2, .equal, value: 12, to: passLabel)
        }
        redirectQuotes(family)
    }

    private mutating func redirectQuotes(_ family: AddressFamily) {
        let optioned = code.label()
        if family == .v4 {
            need(8 + 24, behind: .r9)
            code.store(.double, .r10, Place.quoted + 8, value: 0)
            code.store(.word, .r10, Place.quoted + 16, value: 0xffff_0000)
            code.load(.word, .r2, .r9, 8 + 16)
            code.store(.word, .r10, Place.quoted + 20, .r2)
            code.load(.byte, .r2, .r9, 8)
            code.jump(if: .r2, .different, value: 0x45, to: optioned)
            quotedHeads(transport: 8 + 9, port: 8 + 20 + 2)
        } else {
            need(8 + 44, behind: .r9)
            for half in [0, 8] {
                code.load(.double, .r2, .r9, 8 + 24 + half)
                code.store(.double, .r10, Place.quoted + 8 + half, .r2)
            }
            code.load(.byte, .r2, .r9, 8 + 6)
            for kind: UInt32 in [0, 43, 44, 60] {
                code.jump(if: .r2, .equal, value: kind, to: optioned)
            }
            quotedHeads(transport: 8 + 6, port: 8 + 40 + 2)
        }
        redirect(.tunnels, family, Place.quoted, Place.quotedHead)
        redirect(.tunnelsWithoutPort, family, Place.quoted, Place.quotedTransportHead)
        lookUp(.host, family, Place.destination, nil)
        code.jump(if: .r0, .different, value: 0, to: passLabel)
        redirect(.quoted, family, Place.quoted, Place.quotedHead)
        redirect(.quotedEveryPort, family, Place.quoted, Place.quotedTransportHead)
        code.jump(to: passLabel)
        code.place(optioned)
        lookUp(.host, family, Place.destination, nil)
        code.jump(if: .r0, .different, value: 0, to: passLabel)
        redirect(.quotedAddress, family, Place.quoted, nil)
    }

    private mutating func quotedHeads(transport: Int, port: Int) {
        code.load(.byte, .r2, .r9, transport)
        code.calculate(.shiftLeft, .r2, value: 8)
        code.store(.double, .r10, Place.quotedTransportHead, .r2)
        code.load(.half, .r3, .r9, port)
        code.calculate(.shiftLeft, .r3, value: 16)
        code.calculate(.or, .r2, .r3)
        code.store(.double, .r10, Place.quotedHead, .r2)
    }
}
