/// What an ICMP error is called in the other family (RFC 7915 sections 4.2 and 5.2).
enum ICMPTranslation {
    /// What the first eight bytes of an error say; `rest` is the second word.
    struct Message: Hashable {
        var type: UInt8
        var code: UInt8
        var rest: UInt32 = 0
    }

    /// Longest packets of the next hops on both sides of the director, bytes.
    struct Widths {
        var v4: UInt32
        var v6: UInt32
    }

    /// Lengths that are usual on links (RFC 1191 section 7.1), for routers that name none.
    private static let plateaus: [UInt32] = [
        32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296,
    ]

    /// The error in the other family than `family`; nil for what that has no word for.
    ///
    /// `quoted` is the length of the packet that the error is about.
    static func translate(
        _ message: Message, from family: AddressFamily, quoted: Int, over widths: Widths
    ) -> Message? {
        family == .v4 ? toV6(message, quoted, widths) : toV4(message, widths)
    }

    private static func toV6(_ message: Message, _ quoted: Int, _ widths: Widths) -> Message? {
        switch (message.type, message.code) {
        case (3, 2): return Message(type: 4, code: 1, rest: 6)
        case (3, 3): return Message(type: 1, code: 4)
        case (3, 4):
            let told = message.rest & 0xffff
            let mtu = told != 0 ? told : plateau(below: quoted)
            let fits = min(mtu + 20, widths.v6, widths.v4 + 20)
            return Message(type: 2, code: 0, rest: max(fits, FamilyTranslation.leastMTU))
        case (3, 0...1), (3, 5...8), (3, 11...12): return Message(type: 1, code: 0)
        case (3, 9...10), (3, 13), (3, 15): return Message(type: 1, code: 1)
        case (11, 0...1): return Message(type: 3, code: message.code)
        case (12, 0), (12, 2):
            return pointerToV6(message.rest >> 24).map { Message(type: 4, code: 0, rest: $0) }
        default: return nil
        }
    }

    private static func toV4(_ message: Message, _ widths: Widths) -> Message? {
        switch (message.type, message.code) {
        case (1, 1): return Message(type: 3, code: 10)
        case (1, 4): return Message(type: 3, code: 3)
        case (1, 0), (1, 2...3): return Message(type: 3, code: 1)
        case (2, _):
            let told = max(message.rest, 88) - 20
            let fits = min(told, widths.v4, widths.v6 - min(widths.v6, 20))
            return Message(type: 3, code: 4, rest: min(fits, UInt32(UInt16.max)))
        case (3, 0...1): return Message(type: 11, code: message.code)
        case (4, 0):
            return pointerToV4(message.rest).map { Message(type: 12, code: 0, rest: $0 << 24) }
        case (4, 1): return Message(type: 3, code: 2)
        default: return nil
        }
    }

    private static func plateau(below length: Int) -> UInt32 {
        plateaus.first { $0 < length } ?? 68
    }

    /// Where the field of an IPv4 header stands in IPv6; nil for fields that IPv6 has not.
    private static func pointerToV6(_ pointer: UInt32) -> UInt32? {
        switch pointer {
        case 0, 1: pointer
        case 2...3: 4
        case 8: 7
        case 9: 6
        case 12...15: 8
        case 16...19: 24
        default: nil
        }
    }

    /// Where the field of an IPv6 header stands in IPv4; nil for fields that IPv4 has not.
    private static func pointerToV4(_ pointer: UInt32) -> UInt32? {
        switch pointer {
        case 0, 1: pointer
        case 4...5: 2
        case 6: 9
        case 7: 8
        case 8...23: 12
        case 24...39: 16
        default: nil
        }
    }

    /// Bytes of the packet that an error quotes, where a length before extensions says so (RFC 4884
    /// section 4); nil when all that is there is the quote.
    static func quotedBytes(_ message: Message, _ family: AddressFamily) -> Int? {
        let field: Int
        switch (family, message.type) {
        case (.v4, 3), (.v4, 11), (.v4, 12): field = Int(message.rest >> 16 & 0xff) * 4
        case (.v6, 1), (.v6, 3): field = Int(message.rest >> 24) * 8
        default: return nil
        }
        return field == 0 ? nil : field
    }
}
