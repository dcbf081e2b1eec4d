internal import LVS

// The story as one line, for the comment that a capture file has on a packet.

extension Explanation {
    /// What became of the packet, and why, as the comment on it as it came in.
    var comment: String {
        var parts = [String(verdictText.dropFirst(3))]
        for step in story.steps {
            if let part = remark(on: step) { parts.append(part) }
        }
        if story.carriedMark != 0 { parts.append("came with fwmark \(story.carriedMark)") }
        return (parts + Self.state(of: story.arrived)).joined(separator: "; ")
    }

    /// The comment on a frame that left because of packet `number`: itself, or the `place`-th of the
    /// frames that were made of it.
    func comment(on sent: Story.Sent, of number: UInt64, place: Int?) -> String {
        let origin: String
        if let place {
            let count = story.made.count { $0.verdict.kind == .send }
            origin = "frame \(place) of \(count) that packet \(number) led to"
        } else {
            origin = "packet \(number) as it left"
        }
        return ([origin] + Self.state(of: sent)).joined(separator: "; ")
    }

    /// What the bytes of a frame do not say.
    private static func state(of frame: Story.Sent) -> [String] {
        var parts: [String] = []
        if frame.isPartial { parts.append("checksum left to the card") }
        if frame.segmentSize != 0 {
            parts.append("to be cut into segments of \(frame.segmentSize) bytes")
        }
        return parts
    }

    /// A step in a few words; nil for what the verdict says already, and for questions whose answer was
    /// no.
    private func remark(on step: Step) -> String? {
        switch step {
        case .arrived, .way, .localEndpoint(.some): return nil
        case .mark(let mark, _) where mark == 0: return nil
        case .lookedUp(let look) where look.found == nil: return nil
        case .askedService(let question, let isFound):
            return isFound ? "service " + text(of: question) : nil
        case .template(let look) where look.outcome == .none: return nil
        case .scheduled(let scheduling):
            let name = scheduling.scheduler ?? "none"
            guard
                let chosen = scheduling.candidates.first(where: { $0.number == scheduling.chosen })
            else { return "scheduler \(name) finds no server for it" }
            return "scheduler \(name) chose \(Words.endpoint(chosen.address, chosen.port))"
        default: return text(of: step).first
        }
    }
}
