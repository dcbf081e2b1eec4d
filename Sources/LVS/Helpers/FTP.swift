/// The FTP helper: finds in a control connection which data connection comes next (RFC 959, RFC 2428;
/// ipvs-semantics, appendix A).
///
/// It looks at one segment at a time, as the kernel's does: a command or an answer that is split over
/// two of them is not seen. Servers' answers are changed, and with FULLNAT, which kernels have not,
/// what clients tell of themselves.
package enum FTP {
    /// The port of control connections; the data connections of active FTP belong to the one below.
    package static let controlPort: UInt16 = 21

    /// What the helper remembers of a control connection: which answer of the server it waits for.
    package enum Mode: UInt8, Sendable {
        /// None, after PORT and EPRT, and once the answer has come.
        case active = 0
        /// 227, the answer to PASV.
        case passive
        /// 229, the answer to EPSV.
        case extendedPassive
    }

    /// What a client asks for.
    package enum Request: Hashable, Sendable {
        case passive
        case extendedPassive
        /// The server shall open the data connection to this address and port (host order), which
        /// stand in this part of the payload.
        case active(IPAddress, port: UInt16, range: Range<Int>)
    }

    /// Where a server waits for a data connection.
    package struct Answer: Hashable, Sendable {
        /// nil for the address the control connection has.
        package var address: IPAddress?
        /// Host order.
        package var port: UInt16
        /// The part of the payload that says so.
        package var range: Range<Int>
    }

    // MARK: Requests

    /// What a segment from the client asks for; nil for everything else.
    ///
    /// PASV and EPSV are found anywhere in the segment, PORT and EPRT at its beginning only. PASV and
    /// PORT are words of IPv4.
    package static func request(
        in text: some ByteText, family: AddressFamily
    ) -> Request? {
        var start = 0
        while start + 6 <= text.count {
            if family == .v4, begins(text, start, "PASV\r\n") { return .passive }
            if begins(text, start, "EPSV"), isSpaceOrReturn(text[start + 4]) {
                // With a number only when that is the connection's own family.
                guard text[start + 4] == UInt8(ascii: " ") else { return .extendedPassive }
                let isOwn =
                    start + 7 <= text.count && text[start + 6] == UInt8(ascii: "\r")
                    && text[start + 5] == number(of: family)
                return isOwn ? .extendedPassive : nil
            }
            start += 1
        }
        if family == .v4, begins(text, 0, "PORT"), let from = skip(to: " ", in: text, from: 4),
            let found = commaSeparated(text, from: from)
        {
            return found.address.map { .active($0, port: found.port, range: found.range) }
        }
        if begins(text, 0, "EPRT"), let from = skip(to: " ", in: text, from: 4, extended: true),
            let found = delimited(text, from: from, family: family, needsAddress: true)
        {
            return found.address.map { .active($0, port: found.port, range: found.range) }
        }
        return nil
    }

    // MARK: Answers

    /// Where a segment from the server says it waits, given the answer that is waited for; nil when
    /// it is another one.
    package static func answer(
        in text: some ByteText, to mode: Mode, family: AddressFamily
    ) -> Answer? {
        switch mode {
        case .active: return nil
        case .passive:
            guard begins(text, 0, "227 "), let from = skip(to: "(", in: text, from: 4) else {
                return nil
            }
            return commaSeparated(text, from: from)
        case .extendedPassive:
            guard begins(text, 0, "229 "),
                let from = skip(to: "(", in: text, from: 4, extended: true)
            else { return nil }
            return delimited(text, from: from, family: family, needsAddress: false)
        }
    }

    /// What stands in the answer instead: the virtual address and port, or the port alone, since a
    /// client of EPSV goes to the address it knows.
    package static func text(
        _ mode: Mode, address: IPAddress, port: UInt16
    ) -> ShortText {
        var text = ShortText()
        guard mode == .passive else {
            text.append("|||")
            text.append(decimal: port)
            text.append("|")
            return text
        }
        text.append(commaSeparated: address, port: port)
        return text
    }

    /// Address and port as a request writes them: as PORT where it begins like that, else as EPRT.
    static func request(
        like text: some ByteText, address: IPAddress, port: UInt16
    ) -> ShortText {
        var own = ShortText()
        if begins(text, 0, "PORT") {
            own.append(commaSeparated: address, port: port)
        } else {
            own.append(address.isV4 ? "|1|" : "|2|")
            own.append(address)
            own.append("|")
            own.append(decimal: port)
            own.append("|")
        }
        return own
    }

    // MARK: Parsing

    private static func begins(
        _ text: some ByteText, _ start: Int, _ word: StaticString
    ) -> Bool {
        Text.begins(text, at: start, with: word)
    }

    private static func isSpaceOrReturn(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\r")
    }

    /// The address family's number in EPSV and EPRT (RFC 2428 section 2).
    private static func number(of family: AddressFamily) -> UInt8 {
        family == .v4 ? UInt8(ascii: "1") : UInt8(ascii: "2")
    }

    /// Where the numbers begin: behind `opening` and the spaces after it; nil when the text ends before.
    ///
    /// The old form may do without and begin with a digit (RFC 1123 section 4.1.2.6).
    private static func skip(
        to opening: Unicode.Scalar, in text: some ByteText, from: Int,
        extended: Bool = false
    ) -> Int? {
        var position = from
        var isOpen = false
        while position < text.count {
            let byte = text[position]
            if isOpen {
                if byte != UInt8(ascii: " ") { return position }
            } else if !extended, Text.isDigit(byte) {
                return position
            } else {
                isOpen = byte == UInt8(ascii: opening)
            }
            position += 1
        }
        return nil
    }

    /// Six numbers with commas between them, ended by something else; each is taken modulo 256.
    private static func commaSeparated(
        _ text: some ByteText, from: Int
    ) -> Answer? {
        var word: UInt64 = 0
        var number: UInt8 = 0
        var commas = 0
        var position = from
        while position < text.count {
            let byte = text[position]
            if Text.isDigit(byte) {
                number = number &* 10 &+ (byte &- UInt8(ascii: "0"))
            } else if byte == UInt8(ascii: ","), commas < 5 {
                commas += 1
                word = word << 8 | UInt64(number)
                number = 0
            } else {
                guard commas == 5 else { return nil }
                word = word << 8 | UInt64(number)
                return Answer(
                    address: IPAddress(v4: UInt32(truncatingIfNeeded: word >> 16)),
                    port: UInt16(truncatingIfNeeded: word), range: from..<position)
            }
            position += 1
        }
        return nil
    }

    /// Family, address and port between delimiters (RFC 2428); family and address may both be missing
    /// where `needsAddress` does not say otherwise.
    private static func delimited(
        _ text: some ByteText, from: Int, family: AddressFamily,
        needsAddress: Bool
    ) -> Answer? {
        var position = from
        // The next byte, when there is one and a further one behind it, without which nothing here
        // is complete.
        func next() -> UInt8? {
            guard position + 1 < text.count else { return nil }
            position += 1
            return text[position - 1]
        }
        guard let delimiter = next(), (33...126).contains(delimiter) else { return nil }
        var address: IPAddress?
        if text[position] == delimiter {
            guard !needsAddress, next() != nil, next() == delimiter else { return nil }
        } else {
            guard next() == number(of: family), next() == delimiter else { return nil }
            guard let end = Text.position(of: delimiter, in: text, from: position),
                let found = Text.address(text, position..<end, family: family)
            else { return nil }
            address = found
            position = end
            guard next() == delimiter else { return nil }
        }
        var port: UInt16 = 0
        while position < text.count, Text.isDigit(text[position]) {
            port = port &* 10 &+ UInt16(text[position] &- UInt8(ascii: "0"))
            position += 1
        }
        guard position < text.count, port != 0, text[position] == delimiter else { return nil }
        return Answer(address: address, port: port, range: from..<position + 1)
    }
}

extension ShortText {
    /// The six numbers of PORT and 227 (RFC 959 section 4.1.2).
    fileprivate mutating func append(commaSeparated address: IPAddress, port: UInt16) {
        for shift in [24, 16, 8, 0] as [UInt32] {
            append(decimal: UInt16(address.v4 >> shift & 0xff))
            append(",")
        }
        append(decimal: port >> 8)
        append(",")
        append(decimal: port & 0xff)
    }
}
