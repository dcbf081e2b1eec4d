internal import LVS

/// The connection table as `-L -c` prints it, from the text of `ip_vs_conn` (ipvsadm-cli 5, 7).
///
/// Takes the text in pieces and works on bytes: a table may have millions of entries.
struct ConnectionListing {
    private let names: AddressNames
    /// Whether persistence engines and their data are shown.
    private let withEngine: Bool
    /// The line that the last piece ended in.
    private var unfinished: [UInt8] = []
    private var isFirstLine = true
    private var printed: [UInt8] = []

    private typealias Field = ArraySlice<UInt8>

    init(names: AddressNames, withEngine: Bool) {
        self.names = names
        self.withEngine = withEngine
    }

    var header: String {
        let end =
            withEngine
            ? "\("destination".left(18)) \("pe name".left(16)) pe_data" : "destination"
        return """
            IPVS connection entries
            pro expire state       source             virtual            \(end)

            """
    }

    /// The entries that are complete with this piece, as they are printed.
    mutating func take(_ piece: ArraySlice<UInt8>) -> String {
        printed.removeAll(keepingCapacity: true)
        var rest = piece
        while let end = rest.firstIndex(of: 0x0a) {
            if unfinished.isEmpty {
                line(rest[..<end])
            } else {
                unfinished.append(contentsOf: rest[..<end])
                line(unfinished[...])
                unfinished.removeAll(keepingCapacity: true)
            }
            rest = rest[(end + 1)...]
        }
        unfinished.append(contentsOf: rest)
        return String(decoding: printed, as: UTF8.self)
    }

    /// One line of the table; the first is its header, and what is no entry is skipped.
    private mutating func line(_ text: Field) {
        if isFirstLine {
            isFirstLine = false
            return
        }
        let fields = text.split(separator: 0x20)
        guard fields.count >= 9, let seconds = Self.number(fields[8], radix: 10) else { return }
        let start = printed.count
        let transport = names.numeric ? nil : Self.transport(fields[0])
        pad(after: fields[0], to: 3)
        let expiry = printed.count
        twoDigits(seconds / 60)
        printed.append(0x3a)
        twoDigits(seconds % 60)
        pad(from: expiry, to: 6)
        pad(after: fields[7], to: 11)
        let isEntry =
            endpoint(fields[1], fields[2], transport, width: 18)
            && endpoint(fields[3], fields[4], transport, width: 18)
            && endpoint(
                fields[5], fields[6], transport, width: hasEngine(fields) ? 16 : 0)
        guard isEntry else { return printed.removeSubrange(start...) }
        if hasEngine(fields) {
            pad(after: fields[9], to: 18)
            printed.append(contentsOf: fields[10])
        } else {
            printed.removeLast()
        }
        printed.append(0x0a)
    }

    private func hasEngine(_ fields: [Field]) -> Bool { withEngine && fields.count >= 11 }

    /// Appends address and port, blanks up to the width and one more; false when they are none.
    private mutating func endpoint(
        _ address: Field, _ port: Field, _ transport: TransportProtocol?, width: Int
    ) -> Bool {
        let start = printed.count
        guard let port = Self.number(port, radix: 16).flatMap(UInt16.init(exactly:)) else {
            return false
        }
        if address.contains(0x3a) {
            guard let value = ValueWords.ipv6(String(decoding: address, as: UTF8.self)) else {
                return false
            }
            let text = names.endpoint(value, .v6, port: port, transport: transport)
            printed.append(contentsOf: text.utf8)
        } else {
            guard let value = Self.number(address, radix: 16) else { return false }
            if names.numeric {
                numeric(value, port)
            } else {
                let text = names.endpoint(
                    IPAddress(v4: value), .v4, port: port, transport: transport)
                printed.append(contentsOf: text.utf8)
            }
        }
        pad(from: start, to: width)
        return true
    }

    private mutating func numeric(_ address: UInt32, _ port: UInt16) {
        for shift in [24, 16, 8, 0] as [UInt32] {
            decimal(address >> shift & 255)
            printed.append(shift == 0 ? 0x3a : 0x2e)
        }
        decimal(UInt32(port))
    }

    private mutating func decimal(_ value: UInt32) {
        if value >= 10 { decimal(value / 10) }
        printed.append(0x30 + UInt8(value % 10))
    }

    private mutating func twoDigits(_ value: UInt32) {
        if value < 10 { printed.append(0x30) }
        decimal(value)
    }

    private mutating func pad(after field: Field, to width: Int) {
        let start = printed.count
        printed.append(contentsOf: field)
        pad(from: start, to: width)
    }

    /// Blanks up to the width, and the one between two columns.
    private mutating func pad(from start: Int, to width: Int) {
        let missing = max(0, width - (printed.count - start)) + 1
        for _ in 0..<missing { printed.append(0x20) }
    }

    /// The number all of these digits make; nil when they do not or it has more than 32 bits.
    private static func number(_ digits: Field, radix: UInt32) -> UInt32? {
        guard !digits.isEmpty else { return nil }
        var value: UInt32 = 0
        for byte in digits {
            let digit: UInt32
            switch byte {
            case 0x30...0x39: digit = UInt32(byte) - 0x30
            case 0x41...0x46: digit = UInt32(byte) - 0x37
            case 0x61...0x66: digit = UInt32(byte) - 0x57
            default: return nil
            }
            let (product, over) = value.multipliedReportingOverflow(by: radix)
            let (sum, carry) = product.addingReportingOverflow(digit)
            guard digit < radix, !over, !carry else { return nil }
            value = sum
        }
        return value
    }

    private static func transport(_ name: Field) -> TransportProtocol? {
        switch String(decoding: name, as: UTF8.self) {
        case "TCP": .tcp
        case "UDP": .udp
        case "SCTP": .sctp
        default: nil
        }
    }
}
