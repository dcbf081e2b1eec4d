package import LVS

/// One rule of a rules file: a virtual service, a real server or a local address of one, or a marking
/// rule.
package enum Rule: Hashable, Sendable {
    case addService(VirtualService)
    case addServer(ServiceKey, RealServer)
    case addLocal(ServiceKey, IPAddress)
    case addMark(MarkRule)
}

extension [Rule] {
    /// The virtual services, in the order of the rules.
    package var services: [VirtualService] {
        compactMap { if case .addService(let service) = $0 { service } else { nil } }
    }

    /// The addresses of real servers, in the order of the rules; one of several services comes as often.
    package var serverAddresses: [IPAddress] {
        compactMap { if case .addServer(_, let server) = $0 { server.address } else { nil } }
    }
}

/// A file of rules, the lines that `ipvsadm -Sn` writes.
///
/// Blank lines and lines that begin with `#` are skipped; every other line is judged like a line of
/// `-R`, and only `-A`, `-a` and `-P` are accepted, and `mark -A` with a marking rule. What iptables-save
/// writes of a mangle table, from `*mangle` to `COMMIT`, is read as marking rules too, as long as
/// PREROUTING is its only chain with rules. A bad line spoils the file.
package enum RulesFile {
    /// What is wrong with a file: where, and what was expected there.
    package struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
        /// Counted from 1.
        package var line: Int
        package var text: String
        /// The line as it stands in the file.
        package var content: String

        /// The mistake as a sentence for people.
        package var description: String { "line \(line): \(text): \(content)" }
    }

    /// The rules of the file in its order, or its first mistake.
    package static func parse(_ text: String) throws(Mistake) -> [Rule] {
        var rules: [Rule] = []
        var services: [ServiceKey: Int] = [:]
        var servers: Set<ServerName> = []
        var locals: Set<ServerName> = []
        var marks: Set<MarkRule> = []
        var isTable = false
        // By bytes, as a carriage return before the line's end would hide it among characters.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, bytes) in lines.enumerated() {
            let content = String(Substring(bytes))
            let words = mended(RestoreWords.split(content))
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            let number = index + 1
            func mistake(_ text: String) -> Mistake {
                Mistake(line: number, text: text, content: content)
            }
            if first.hasPrefix("*") || (isTable && (first == "COMMIT" || first.hasPrefix(":"))) {
                guard !first.hasPrefix("*") || words == ["*mangle"] else {
                    throw mistake("expected the table mangle")
                }
                if !first.hasPrefix(":") { isTable = first != "COMMIT" }
                continue
            }
            let added: [Rule]
            do throws(CommandError) {
                added = try isTable ? saved(content) : self.rules(words)
            } catch {
                throw mistake(error.text + expectation(of: error.text))
            }
            for rule in added {
                switch rule {
                case .addService(let service):
                    if let before = services[service.key] {
                        throw mistake("this virtual service stands on line \(before) already")
                    }
                    services[service.key] = number
                case .addServer(let key, let server):
                    guard services[key] != nil else {
                        throw mistake(
                            "expected the -A line of this virtual service before its real servers")
                    }
                    let name = ServerName(key: key, address: server.address, port: server.port)
                    guard servers.insert(name).inserted else {
                        throw mistake("this virtual service has this real server already")
                    }
                case .addLocal(let key, let address):
                    guard services[key] != nil else {
                        throw mistake(
                            "expected the -A line of this virtual service before its local "
                                + "addresses")
                    }
                    let name = ServerName(key: key, address: address, port: 0)
                    guard locals.insert(name).inserted else {
                        throw mistake(
                            "this virtual service has the local address \(address) already")
                    }
                case .addMark(let mark):
                    guard marks.insert(mark).inserted else {
                        throw mistake("this marking rule stands in the file already")
                    }
                }
            }
            rules += added
        }
        return rules
    }

    /// Undoes two things that `-S` writes and `-R` cannot read: marks above 2147483647 as negative
    /// numbers, and an empty list of scheduler flags at the end of the line.
    private static func mended(_ words: [String]) -> [String] {
        var words = words
        if words.last == "-b" { words.removeLast() }
        for index in words.indices.dropFirst() where words[index - 1] == "-f" {
            guard let mark = Int32(words[index]), mark < 0 else { continue }
            words[index] = String(UInt32(bitPattern: mark))
        }
        return words
    }

    /// A line of a table that iptables-save wrote.
    private static func saved(_ line: String) throws(CommandError) -> [Rule] {
        let words = SavedWords.split(line).drop { $0.hasPrefix("[") }
        guard words.starts(with: ["-A", "PREROUTING"]) else {
            throw .line("expected -A PREROUTING with a marking rule")
        }
        return [.addMark(try MarkRuleWords.rule(Array(words.dropFirst(2))))]
    }

    /// The rules of a line: more than one when it has a range of addresses.
    private static func rules(_ words: [String]) throws(CommandError) -> [Rule] {
        if words[0] == "mark" {
            guard words.dropFirst().first == "-A" else { throw .line("expected mark -A") }
            return [.addMark(try MarkRuleWords.rule(Array(words.dropFirst(2))))]
        }
        let expected = CommandError.line(
            "expected -A (a virtual service), -a (a real server) or -P (local addresses) with its "
                + "options")
        guard let entry = CommandEntry.starting(with: words[0]),
            [.addService, .addServer, .addLocals].contains(entry.command)
        else { throw expected }
        let values = try LineParser.parse(words, program: "directorctl").values
        guard !values.service.isMapped, !values.server.isMapped else {
            throw .line("an IPv4 address inside an IPv6 one cannot be used here")
        }
        if values.command == .addService { return [.addService(values.service.virtualService)] }
        let key = values.service.key
        if let range = values.locals { return range.addresses.map { .addLocal(key, $0) } }
        guard values.server.lowerThreshold <= values.server.upperThreshold else {
            throw .line("the lower threshold must not exceed the upper one")
        }
        return [.addServer(key, values.server.realServer)]
    }
}

extension RulesFile {
    /// What should have stood there, for complaints that do not say it themselves.
    private static func expectation(of complaint: String) -> String {
        let number = "a number from 0 to 2147483647"
        let table = [
            ("illegal virtual server address", "ADDRESS:PORT or [IPv6 ADDRESS]:PORT"),
            ("illegal real server address", "ADDRESS[:PORT] or [IPv6 ADDRESS]:PORT"),
            ("invalid fwmark value", "a mark from 1 to 4294967295"),
            ("invalid timeout value", "seconds from 1 to 2678400"),
            ("illegal virtual server persistent mask", "a mask such as 255.255.255.0"),
            ("illegal ipv6 netmask", "a prefix length from 1 to 128"),
            ("illegal weight", number), ("illegal u_threshold", number),
            ("illegal l_threshold", number),
            ("Zero port specified", "a port, or persistence (-p)"),
            ("illegal tunnel type", "ipip, gue or gre"),
            ("illegal tunnel port", "a port from 1 to 65535"),
            ("invalid scheduler flag", "flag-1, flag-2, flag-3 or a flag of the scheduler's own"),
            ("unexpected argument", "an option"),
        ]
        guard let row = table.first(where: { complaint.hasPrefix($0.0) }) else { return "" }
        return "; expected \(row.1)"
    }
}

/// What a real server is found by, or a local address without its port.
struct ServerName: Hashable {
    var key: ServiceKey
    var address: IPAddress
    var port: UInt16
}
