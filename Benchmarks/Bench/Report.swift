internal import Posix

/// What the benchmark prints: a table for people, one line of JSON for machines.
struct Report {
    private var paths: [NATPath.Result] = []
    private var churn: Churn.Result?
    private var fullNAT: FullNATPath.Result?
    private var telling: Telling.Result?
    private var decisions: [Decisions.Result] = []
    private var captures: [Captures.Result] = []
    private var kept: [(name: String, Keeping.Result)] = []
    private var adoptions: [(name: String, Keeping.Adoption)] = []

    static func printHead() {
        print(
            "NAT path in memory, random flows, both directions, ring of 4096 frames, bursts of 64")
        print("ns a packet (thread CPU time): median of windows of 4096 packets, [p10 p90]")
        print(
            pad("connections", 12) + pad("Swift", 22) + pad("C reference", 22)
                + pad("two-line floor", 22) + pad("Swift/C", 9) + pad("/floor", 8) + "bytes/conn")
    }

    mutating func add(_ result: NATPath.Result) {
        paths.append(result)
        print(
            Report.pad(String(result.connections), 12) + Report.cell(result.swift)
                + Report.cell(result.reference) + Report.cell(result.floor)
                + Report.pad(Report.text(result.swift.median / result.reference.median, 2), 9)
                + Report.pad(Report.text(result.swift.median / result.floor.median, 2), 8)
                + Report.text(result.bytes, 1))
    }

    mutating func add(_ result: Churn.Result) {
        churn = result
        let rate = 1000 / result.perConnection.median
        print(
            "insert + expire, \(result.live) live: \(Report.text(result.perConnection.median, 0))"
                + " ns [\(Report.text(result.perConnection.p10, 0))"
                + " \(Report.text(result.perConnection.p90, 0))]"
                + " = \(Report.text(rate, 1)) M connections/s;"
                + " sweep \(Report.text(result.sweep.median, 2)) ns an entry")
    }

    mutating func add(_ result: FullNATPath.Result) {
        fullNAT = result
        print(
            "FULLNAT hit path, \(result.connections) connections:"
                + " \(Report.cell(result.fullNAT)) NAT \(Report.cell(result.nat))"
                + " ratio \(Report.text(result.ratio, 2));"
                + " \(Report.text(result.bytes, 1)) bytes a connection")
        print(
            "FULLNAT port + insert + expire: \(Report.cell(result.perConnection)) ns ="
                + " \(Report.text(1000 / result.perConnection.median, 1)) M connections/s")
    }

    mutating func add(_ result: Keeping.Result, _ name: String) {
        kept.append((name, result))
        print(
            "kept table, hit path, \(result.connections) connections:"
                + " \(Report.cell(result.kept)) own memory \(Report.cell(result.own))"
                + " ratio \(Report.text(result.ratio, 3))")
    }

    mutating func add(_ result: Keeping.Adoption, _ name: String) {
        adoptions.append((name, result))
        print(
            "adoption of \(result.connections) connections by \(result.threads) threads:"
                + " \(Report.cell(result.whole)) ms, of them mapping \(Report.cell(result.mapping))"
        )
    }

    mutating func add(_ result: Telling.Result) {
        telling = result
        print(
            "whole connections, with a master: \(Report.cell(result.told))"
                + " without \(Report.cell(result.plain))"
                + " ratio \(Report.text(result.ratio.median, 3))"
                + " [\(Report.text(result.ratio.p10, 2)) \(Report.text(result.ratio.p90, 2))]")
        print(
            "told \(Report.text(result.tellingsPerConnection, 2)) times each, \(result.lost) lost;"
                + " a telling costs the sender \(Report.text(result.perTelling.median, 0)) ns")
    }

    mutating func add(_ result: Captures.Result) {
        captures.append(result)
        print(
            Report.pad(result.name, 24) + Report.cell(result.cost)
                + "= \(Report.text(1000 / result.cost.median, 1)) M packets/s")
    }

    static func printDecisionsHead() {
        print("ns a scheduler's decision, the service's lock included: median [p10 p90]")
        print(
            pad("scheduler", 12)
                + Decisions.limits.map { limit in
                    pad("\(limit.servers) servers (at most \(text(limit.nanoseconds, 0)))", 30)
                }.joined())
    }

    mutating func add(_ result: Decisions.Result) {
        decisions.append(result)
        print(
            Report.pad(result.scheduler, 12)
                + result.perServers.map { Report.pad(Report.cell($0.cost), 30) }.joined())
    }

    var json: String {
        var items = paths.map { result in
            "\"\(result.name)\":{\"swift_ns\":\(Report.text(result.swift.median, 2)),"
                + "\"swift_p10\":\(Report.text(result.swift.p10, 2)),"
                + "\"swift_p90\":\(Report.text(result.swift.p90, 2)),"
                + "\"c_ns\":\(Report.text(result.reference.median, 2)),"
                + "\"floor_ns\":\(Report.text(result.floor.median, 2)),"
                + "\"ratio_c\":\(Report.text(result.swift.median / result.reference.median, 3)),"
                + "\"ratio_floor\":\(Report.text(result.swift.median / result.floor.median, 3)),"
                + "\"bytes_per_connection\":\(Report.text(result.bytes, 1))}"
        }
        if let churn {
            items.append(
                "\"churn\":{\"ns\":\(Report.text(churn.perConnection.median, 1)),"
                    + "\"sweep_ns\":\(Report.text(churn.sweep.median, 2))}")
        }
        if let fullNAT {
            items.append(
                "\"fullnat\":{\"ns\":\(Report.text(fullNAT.fullNAT.median, 2)),"
                    + "\"nat_ns\":\(Report.text(fullNAT.nat.median, 2)),"
                    + "\"ratio_nat\":\(Report.text(fullNAT.ratio, 3)),"
                    + "\"churn_ns\":\(Report.text(fullNAT.perConnection.median, 1)),"
                    + "\"bytes_per_connection\":\(Report.text(fullNAT.bytes, 1))}")
        }
        if let telling {
            items.append(
                "\"synchronisation\":{\"ns\":\(Report.text(telling.told.median, 2)),"
                    + "\"plain_ns\":\(Report.text(telling.plain.median, 2)),"
                    + "\"ratio_told\":\(Report.text(telling.ratio.median, 3)),"
                    + "\"telling_ns\":\(Report.text(telling.perTelling.median, 1)),"
                    + "\"lost\":\(telling.lost)}")
        }
        for result in decisions {
            let figures = result.perServers.map {
                "\"ns_\($0.servers)\":\(Report.text($0.cost.median, 1))"
            }
            items.append("\"\(result.scheduler)\":{" + figures.joined(separator: ",") + "}")
        }
        for (name, result) in kept {
            items.append("\"\(name)\":{\"ratio_own\":\(Report.text(result.ratio, 3))}")
        }
        for (name, result) in adoptions {
            items.append(
                "\"\(name)-\(result.threads)\":{\"ms\":\(Report.text(result.whole.median, 1))}")
        }
        for result in captures {
            items.append("\"\(result.name)\":{\"ns\":\(Report.text(result.cost.median, 1))}")
        }
        return "{" + items.joined(separator: ",") + "}"
    }

    /// Figures that break the limits of a thresholds file: lines `"name": number` where the name is
    /// `ratio_c`, `ratio_floor`, `bytes_per_connection`, `ratio_nat` or `ratio_told`, each a maximum.
    func violations(_ thresholds: String) -> [String] {
        var broken: [String] = []
        for line in thresholds.split(separator: "\n") {
            let parts = line.split(separator: ":")
            guard parts.count == 2 else { continue }
            let name = parts[0].filter { $0.isLetter || $0 == "_" }
            guard let limit = Double(parts[1].filter { $0.isNumber || $0 == "." }) else { continue }
            if name == "ratio_nat", let fullNAT, fullNAT.ratio > limit {
                broken.append("fullnat: \(name) \(Report.text(fullNAT.ratio, 3)) > \(limit)")
            }
            if name == "ratio_told", let telling, telling.ratio.median > limit {
                broken.append(
                    "synchronisation: \(name) \(Report.text(telling.ratio.median, 3)) > \(limit)")
            }
            for result in paths {
                let value: Double
                switch name {
                case "ratio_c": value = result.swift.median / result.reference.median
                case "ratio_floor" where result.connections >= 1_000_000:
                    value = result.swift.median / result.floor.median
                case "bytes_per_connection" where result.connections >= 100_000:
                    value = result.bytes
                default: continue
                }
                if value > limit {
                    broken.append("\(result.name): \(name) \(Report.text(value, 3)) > \(limit)")
                }
            }
        }
        return broken
    }

    private static func cell(_ spread: Spread) -> String {
        pad("\(text(spread.median, 1)) [\(text(spread.p10, 1)) \(text(spread.p90, 1))]", 22)
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    static func text(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let whole = Int((value * scale).rounded())
        guard digits > 0 else { return String(whole) }
        let fraction = String(whole % Int(scale))
        return String(whole / Int(scale)) + "."
            + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
