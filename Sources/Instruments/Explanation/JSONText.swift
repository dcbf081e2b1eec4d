/// A value of JSON (RFC 8259) on its way to text, keys in the order in which they are written.
///
/// Small and for this wing alone: the wing of control has an encoder of its own, and wings do not import
/// one another.
indirect enum JSONText: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    case null
    case boolean(Bool)
    case number(Int)
    case fraction(Double)
    case text(String)
    case list([JSONText])
    case object([(String, JSONText)])

    init(stringLiteral value: String) { self = .text(value) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }

    static func count(_ value: some BinaryInteger) -> JSONText { .number(Int(clamping: value)) }

    static func optional(_ value: String?) -> JSONText { value.map { .text($0) } ?? .null }

    static func optional(_ value: Double?) -> JSONText { value.map { .fraction($0) } ?? .null }

    /// Seconds, to the microsecond.
    static func seconds(_ nanoseconds: Int64) -> JSONText {
        .fraction(Double(nanoseconds / 1000) / 1e6)
    }

    /// The value with two blanks for each level.
    func written(indent: String = "") -> String {
        let deeper = indent + "  "
        switch self {
        case .null: return "null"
        case .boolean(let value): return String(value)
        case .number(let value): return String(value)
        case .fraction(let value): return value.isFinite ? String(value) : "null"
        case .text(let value): return JSONText.quoted(value)
        case .list(let values):
            guard !values.isEmpty else { return "[]" }
            let lines = values.map { deeper + $0.written(indent: deeper) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indent)]"
        case .object(let members):
            guard !members.isEmpty else { return "{}" }
            let lines = members.map {
                deeper + JSONText.quoted($0.0) + ": " + $0.1.written(indent: deeper)
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        }
    }

    private static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case "\0"..."\u{1f}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
