internal import LVS

/// The report of a replay: one page of HTML that needs nothing else, for people with a browser.
///
/// It says what the summary says, and shows each server's load and the table over time, drops by reason,
/// and of a connection that is clicked the packets between client, director and server.
package struct ReplayReport {
    private let summary: ReplaySummary
    private let recorder: ReplayRecorder
    private let title: String

    /// A report on what the recorder saw, which has been finished.
    package init(_ recorder: ReplayRecorder, title: String) {
        summary = ReplaySummary(of: recorder.run)
        self.recorder = recorder
        self.title = title
    }

    /// The page.
    package var html: String {
        // A script ends where its text says so: the text must not.
        let data = json.written().replacing("<", with: "\\u003c")
        return ReportPage.head(title: escaped(title))
            + "<script type=\"application/json\" id=\"data\">"
            + data + "</script>\n<script>\n" + ReportScript.text + "</script>\n</body>\n</html>\n"
    }

    private func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    private var json: JSONText {
        .object([
            ("title", .text(title)), ("summary", head), ("services", services),
            ("drops", .list(summary.drops.map(drop))), ("series", series),
            ("connections", .list(recorder.ladders.map(ladder))),
            ("notes", .list((summary.remarks + summary.assumptions).map { .text($0) })),
        ])
    }

    private var head: JSONText {
        let counts = summary.counts
        return .object([
            ("packets", .count(counts.packets)), ("seconds", .fraction(seconds(summary.duration))),
            ("decided", .count(counts.decided)), ("sent", .count(counts.sent)),
            ("passed", .count(counts.passed)), ("dropped", .count(counts.dropped)),
            ("left_out", .count(counts.own + counts.foreign + summary.outgoing)),
            ("open", .count(summary.openConnections)),
            ("templates", .count(summary.openTemplates)),
            ("backwards", .count(counts.backwards)),
        ])
    }

    private var services: JSONText {
        .list(
            summary.services.map { service in
                .object([
                    ("name", .text(Words.service(service.service.key))),
                    ("scheduler", .text(scheduler(service.service))),
                    ("servers", .list(service.servers.map(server))),
                ])
            })
    }

    /// As listings have it behind a service.
    private func scheduler(_ service: VirtualService) -> String {
        service.scheduler
            + (service.flags.contains(.persistent)
                ? " persistent \(service.persistenceTimeoutSeconds)" : "")
            + (service.flags.contains(.onePacket) ? " ops" : "")
    }

    private func server(_ server: ReplaySummary.Server) -> JSONText {
        .object([
            ("name", .text(Words.endpoint(server.server.address, server.server.port))),
            ("method", .text(Words.method(server.server.method))),
            ("weight", .count(server.server.weight)),
            ("connections", .count(server.counters.connections)),
            ("share", server.share.map { .fraction($0) } ?? .null),
            ("due", server.weightShare.map { .fraction($0) } ?? .null),
            ("in_packets", .count(server.counters.inPackets)),
            ("out_packets", .count(server.counters.outPackets)),
            ("in_bytes", .count(server.counters.inBytes)),
            ("out_bytes", .count(server.counters.outBytes)),
            ("active", .count(server.active)), ("inactive", .count(server.inactive)),
        ])
    }

    private func drop(_ drop: ReplaySummary.Drop) -> JSONText {
        .object([
            ("reason", .text(drop.reason.name)), ("frames", .count(drop.frames)),
            ("cure", .text(drop.reason.cure)),
        ])
    }

    private var series: JSONText {
        let samples = recorder.samples
        let reasons = DropReason.allCases.enumerated().filter { index, _ in
            samples.contains { $0.drops[index] > 0 }
        }
        return .object([
            ("times", .list(samples.map { .fraction(seconds($0.time)) })),
            ("open", .list(samples.map { .count($0.open) })),
            (
                "servers",
                .list(
                    recorder.servers.enumerated().map { index, server in
                        .object([
                            ("service", .text(Words.service(server.service))),
                            ("name", .text(server.name.text)),
                            ("values", .list(samples.map { .count($0.connections[index]) })),
                        ])
                    })
            ),
            (
                "drops",
                .list(
                    reasons.map { index, reason in
                        .object([
                            ("name", .text(reason.name)),
                            ("values", .list(samples.map { .count($0.drops[index]) })),
                        ])
                    })
            ),
        ])
    }

    private func ladder(_ ladder: ReplayRecorder.Ladder) -> JSONText {
        .object([
            ("flow", .text(ladder.flow.text)), ("server", .text(ladder.server.text)),
            ("more", .count(ladder.more)), ("steps", .list(ladder.steps.map(step))),
        ])
    }

    private func step(_ step: ReplayRecorder.Step) -> JSONText {
        .object([
            ("packet", .count(step.packet)), ("time", .fraction(seconds(step.time))),
            ("from_client", .boolean(step.isFromClient)),
            ("before", .text(FrameLine.text(step.before))),
            ("after", .list(step.after.map { .text(FrameLine.text($0)) })),
            ("receiver", .optional(step.after.first.flatMap(FrameLine.receiver))),
            ("states", .list(step.states.map { .text($0) })), ("fate", .text(fate(step.verdict))),
        ])
    }

    private func fate(_ verdict: Verdict) -> String {
        switch verdict.kind {
        case .send: "sent"
        case .pass: "left to the host"
        case .consumed: "kept"
        case .drop: verdict.reason?.name ?? "dropped"
        }
    }

    private func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds / 1000) / 1e6 }
}
