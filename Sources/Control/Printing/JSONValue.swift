/// A value of JSON (RFC 8259), for listings that programs read.
package indirect enum JSONValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    case number(Int64)
    case large(UInt64)
    /// Written with three digits behind the point at most; null for what is no number.
    case fraction(Double)
    case text(String)
    case list([JSONValue])
    /// Keys in the order in which they are written.
    case object([Member])

    /// One key and its value.
    package struct Member: Hashable, Sendable {
        package var key: String
        package var value: JSONValue
    }

    /// An object of pairs; those without a value are left out.
    package static func members(_ pairs: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(pairs.compactMap { pair in pair.value.map { Member(key: pair.key, value: $0) } })
    }

    package static func count(_ value: some BinaryInteger) -> JSONValue {
        .large(UInt64(clamping: value))
    }

    /// The document: two blanks for each level, a newline at its end.
    package var document: String {
        var text = ""
        write(to: &text, indent: "")
        return text + "\n"
    }

    /// The value on one line.
    package var line: String {
        var text = ""
        write(to: &text, indent: nil)
        return text
    }

    private func write(to text: inout String, indent: String?) {
        switch self {
        case .null: text += "null"
        case .boolean(let value): text += value ? "true" : "false"
        case .number(let value): text += String(value)
        case .large(let value): text += String(value)
        case .fraction(let value): text += Self.rounded(value)
        case .text(let value): Self.quote(value, to: &text)
        case .list(let values):
            Self.enclose("[", values, "]", &text, indent) { value, text, indent in
                value.write(to: &text, indent: indent)
            }
        case .object(let members):
            Self.enclose("{", members, "}", &text, indent) { member, text, indent in
                Self.quote(member.key, to: &text)
                text += ": "
                member.value.write(to: &text, indent: indent)
            }
        }
    }

    private static func rounded(_ value: Double) -> String {
        let thousandths = (value * 1000).rounded()
        guard thousandths.isFinite else { return "null" }
        // What has no fraction any more would be written with an exponent.
        guard abs(thousandths) < 1e15 else { return "\(Int64(clamping: Int128(value)))" }
        return "\(thousandths / 1000)"
    }

    private static func enclose<Element>(
        _ open: String, _ elements: [Element], _ close: String, _ text: inout String,
        _ indent: String?, _ write: (Element, inout String, String?) -> Void
    ) {
        text += open
        let deeper = indent.map { $0 + "  " }
        for (index, element) in elements.enumerated() {
            if index > 0 { text += indent == nil ? ", " : "," }
            if let deeper { text += "\n\(deeper)" }
            write(element, &text, deeper)
        }
        if let indent, !elements.isEmpty { text += "\n\(indent)" }
        text += close
    }

    private static func quote(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\0"..." ":
                if scalar == " " {
                    text += " "
                } else {
                    let digits = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
                }
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
