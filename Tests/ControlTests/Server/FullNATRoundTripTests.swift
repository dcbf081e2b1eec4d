import Control
import LVS
import Testing

/// A table with everything that FULLNAT has, saved and made anew in every way there is.
struct FullNATRoundTripTests {
    /// As `-Sn` writes it.
    private static let saved = """
        -A -t 10.0.0.1:80 -s rr --toa ack --new-isn --no-timestamps
        -P -t 10.0.0.1:80 -z 10.0.0.20
        -P -t 10.0.0.1:80 -z 10.0.0.9
        -P -t 10.0.0.1:80 -z 10.0.0.10
        -a -t 10.0.0.1:80 -r 10.0.0.11:8080 --fullnat -w 3
        -a -t 10.0.0.1:80 -r 10.0.0.12:80 -m -w 1
        -A -t [2001:db8::1]:443 -s wlc -p 60 --proxy-protocol v2
        -P -t [2001:db8::1]:443 -z fd00::10
        -P -t [2001:db8::1]:443 -z 10.0.0.10
        -a -t [2001:db8::1]:443 -r 10.0.0.13:443 --fullnat -w 1
        -A -u 10.0.0.1:53 -s rr
        -P -u 10.0.0.1:53 -z 10.0.0.10
        -a -u 10.0.0.1:53 -r 10.0.0.11:53 --fullnat -w 1
        -A -f 7 -s rr --toa syn
        -A -f 8 -6 -s rr --proxy-protocol v1

        """

    /// What a line of directorctl prints at the director behind a socket.
    private func run(
        _ line: String, at path: String, input: String = ""
    ) throws -> String {
        var output = ""
        var complaints = ""
        var lines = input.split(separator: "\n").map(String.init)[...]
        let session = CommandSession(
            program: "directorctl", output: { output += $0 }, complain: { complaints += $0 },
            readLine: { lines.popFirst() },
            connect: { () throws(DirectorUnreachable) in try ClientTable(path: path) })
        let status = session.run(line.split(separator: " ").map(String.init))
        #expect(status == 0 && complaints == "", "\(line): \(complaints)")
        return output
    }

    /// The table of a director that was given these rules one by one.
    private func saved(of rules: [Rule]) throws -> String {
        let target = ModelTarget()
        for rule in rules {
            switch rule {
            case .addService(let service): try target.add(service)
            case .addServer(let key, let server): try target.add(server, to: key)
            case .addLocal(let key, let address): try target.addLocals([address], to: key)
            case .addMark: Issue.record("there is no marking rule")
            }
        }
        nonisolated(unsafe) let sent = target
        var output = ""
        try withDirector(unsafe sent) { output = try run("-S -n", at: $0) }
        return output
    }

    @Test func throughTheProgram() throws {
        try withDirector(ModelTarget()) { path in
            _ = try run("-R", at: path, input: Self.saved)
            let first = try run("-S -n", at: path)
            #expect(inOrder(first) == inOrder(Self.saved))
            _ = try run("-C", at: path)
            #expect(try run("-S -n", at: path) == "")
            _ = try run("-R", at: path, input: first)
            #expect(try run("-S -n", at: path) == first)
        }
    }

    @Test func throughARulesFileAndAStateFile() throws {
        let rules = try RulesFile.parse(Self.saved)
        let first = try saved(of: rules)
        #expect(inOrder(first) == inOrder(Self.saved))
        let reading = StateFile.read(StateFile.bytes(of: rules.map(StateItem.rule)))
        #expect(reading.damage == [])
        let remembered = reading.items.compactMap { item -> Rule? in
            if case .rule(let rule) = item.item { return rule }
            return nil
        }
        #expect(try saved(of: remembered) == first)
        #expect(try saved(of: RulesFile.parse(first)) == first)
    }

    /// The lines in an order of their own: a listing's is that of the table.
    private func inOrder(_ text: String) -> [Substring] { text.split(separator: "\n").sorted() }
}
