import Posix

/// The page of HTML that a command writes for `--report`.
struct ReportFile {
    let path: String

    /// Files as a report's title names them: without their directories, one after the other.
    static func names(_ paths: [String]) -> String {
        paths.map { $0.split(separator: "/").last.map(String.init) ?? $0 }.joined(separator: ", ")
    }

    func write(_ html: String) throws(StartFailure) {
        do throws(SystemError) {
            try Files.replace(path, with: Array(html.utf8))
        } catch {
            throw StartFailure("--report \(path): \(error)")
        }
    }
}
