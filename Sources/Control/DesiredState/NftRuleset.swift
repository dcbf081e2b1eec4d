internal import LVS

/// The rules in nft's own language that could mark packets, in the text of `nft list ruleset`: chains
/// at the hook prerouting of IPv4, IPv6 or both, and the chains of their tables.
package enum NftRuleset {
    /// What one base chain says of marks.
    package struct Chain: Sendable {
        /// Chains apply in the order of these numbers; iptables' mangle table has -150.
        package var priority: Int
        package var marks: NetfilterMarks
    }

    private struct Table {
        var name: String
        var family: AddressFamily?
        var chains: [String: [NetfilterMarks.Line]] = [:]
        /// Base chains at prerouting with their priorities.
        var starts: [(name: String, priority: Int)] = []
    }

    /// All base chains at prerouting, in their order; `isForeign` says which tables another reader has.
    package static func chains(
        _ listing: String, isForeign: (_ family: String, _ table: String) -> Bool
    ) -> [Chain] {
        tables(listing, isForeign).flatMap { table in
            table.starts.map { start in
                Chain(
                    priority: start.priority,
                    marks: NetfilterMarks(
                        table.chains, from: start.name, table.family,
                        origin: "nft \(table.name) \(start.name)"))
            }
        }.sorted { $0.priority < $1.priority }
    }

    private static func tables(
        _ listing: String, _ isForeign: (String, String) -> Bool
    ) -> [Table] {
        let families: [String: AddressFamily?] = ["ip": .v4, "ip6": .v6, "inet": nil]
        var tables: [Table] = []
        var table: Table?
        var chain: String?
        var begun = ""
        for part in listing.split(separator: "\n") {
            // Long lists go on in the next line.
            let line = begun + part
            // In quotes a brace is a letter like others.
            let plain = line.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset.isMultiple(of: 2) }.map(\.element).joined()
            let isOpen = plain.count { $0 == "{" } > plain.count { $0 == "}" }
            begun = chain != nil && isOpen ? line + " " : ""
            guard begun.isEmpty else { continue }
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            if line.hasPrefix("table "), words.count >= 3 {
                table = nil
                if let family = families[words[1]], !isForeign(words[1], words[2]) {
                    table = Table(name: "\(words[1]) \(words[2])", family: family)
                }
            } else if line.hasPrefix("}") {
                if let table { tables.append(table) }
                table = nil
            } else if line.hasPrefix("\tchain "), words.count >= 2 {
                chain = words[1]
            } else if line.hasPrefix("\t}") {
                chain = nil
            } else if let name = chain, words.first == "type" {
                if let priority = priority(words) { table?.starts.append((name, priority)) }
            } else if let name = chain {
                table?.chains[name, default: []].append(
                    self.line(words.joined(separator: " ")))
            }
        }
        return tables
    }

    /// The priority of a filter chain at prerouting; nil for other chains.
    private static func priority(_ words: [String]) -> Int? {
        guard words.starts(with: ["type", "filter", "hook", "prerouting", "priority"]),
            words.count > 5
        else { return nil }
        return Int(words[5].filter { $0 != ";" })
    }

    private static func line(_ text: String) -> NetfilterMarks.Line {
        var line = NetfilterMarks.Line(text: text, words: [], targets: NftRuleWords.targets(text))
        do throws(CommandError) {
            let rule = try NftRuleWords(text)
            line.words = rule.matches
            line.statements = rule.statements
        } catch {
            line.trouble = error.text
        }
        return line
    }
}
