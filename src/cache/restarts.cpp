#include "cache/restarts.hpp"

#include "cache/core.hpp"

namespace tiercel {

namespace {

bool distrusts(const Core& core) { return core.settings.after_restart == AfterRestart::distrust; }

}  // namespace

void Restarts::connected(Core& core, const ServerId& server) {
  if (!server.known()) {
    if (!hidden_ && distrusts(core))
      core.notice(
          Event::Level::warning,
          "Redis does not tell its run_id (INFO is not permitted): whether it was restarted or failed over cannot "
          "be known, so after_restart='distrust' does nothing; let the ACL of this user have INFO");
    hidden_ = true;
    return;
  }
  if (server_.known() && server_ != server) {
    noticed_ = {};  // it may be one that was met before
    met(core, server);
  }
  server_ = server;
}

bool Restarts::believes(const Core& core, const RootRecord& root) const {
  if (!distrusts(core)) return true;
  const ServerId& server = core.remote->server_id();
  return !server.known() || root.given_under == server;
}

void Restarts::root_answered(Core& core, std::int64_t answer) {
  if (answer == 1 || answer == 2) met(core, core.remote->server_id());
}

void Restarts::met(Core& core, const ServerId& server) {
  if (noticed_ == server) return;
  noticed_ = server;
  ++count_;
  last_ = core.server_now(core.present);
  // Not even within `staleness`: what comes back with the server undoes this process' own invalidations of tags, too.
  if (distrusts(core)) core.everything_changed();
  core.notice(Event::Level::warning,
              distrusts(core)
                  ? "Redis was restarted or failed over: nothing that it held before is served any more "
                    "(after_restart='distrust')"
                  : "Redis was restarted or failed over: what it holds stays trusted, and invalidations that "
                    "it may have lost are not found out (after_restart='trust'); clear() settles it");
}

std::string new_root(Core& core) {
  const ServerId& server = core.remote->server_id();
  return encode_root({{Stamp::roll(core.dice), kServerNever}, server, server});
}

}  // namespace tiercel
