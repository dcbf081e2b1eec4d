package import LVS

/// One rule of a rules file: a virtual service, or a real server of one.
package enum Rule: Hashable, Sendable {
    case addService(VirtualService)
    case addServer(ServiceKey, RealServer)
}

/// A file of rules, the lines that `ipvsadm -Sn` writes.
///
/// Blank lines and lines that begin with `#` are skipped; every other line is judged like a line of
/// `-R`, and only `-A` and `-a` are accepted. A bad line spoils the file.
package enum RulesFile {
    /// What is wrong with a file: where, and what was expected there.
    package struct Mistake: Error, Hashable, Sendable {
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
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, content) in lines.enumerated() {
            let words = RestoreWords.split(String(content))
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            let number = index + 1
            func mistake(_ text: String) -> Mistake {
                Mistake(line: number, text: text, content: String(content))
            }
            let rule: Rule
            do throws(CommandError) {
                rule = try self.rule(words)
            } catch {
                throw mistake(error.text)
            }
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
            }
            rules.append(rule)
        }
        return rules
    }

    private static func rule(_ words: [String]) throws(CommandError) -> Rule {
        let expected = CommandError.line(
            "expected -A (a virtual service) or -a (a real server) with its options")
        guard let entry = CommandEntry.starting(with: words[0]),
            entry.command == .addService || entry.command == .addServer
        else { throw expected }
        let values = try LineParser.parse(words, program: "directorctl").values
        guard !values.service.isMapped, !values.server.isMapped else {
            throw .line("an IPv4 address inside an IPv6 one cannot be used here")
        }
        if values.command == .addService { return .addService(values.service.virtualService) }
        guard values.server.lowerThreshold <= values.server.upperThreshold else {
            throw .line("the lower threshold must not exceed the upper one")
        }
        return .addServer(values.service.key, values.server.realServer)
    }
}

/// What a real server is found by.
struct ServerName: Hashable {
    var key: ServiceKey
    var address: IPAddress
    var port: UInt16
}
