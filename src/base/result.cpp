#include "base/result.hpp"

namespace tiercel {

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::away:
      return "away";
    case ErrorCode::slow:
      return "slow";
    case ErrorCode::protocol:
      return "protocol";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::loading:
      return "loading";
    case ErrorCode::authentication:
      return "authentication";
    case ErrorCode::too_old:
      return "too_old";
    case ErrorCode::cluster:
      return "cluster";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::superseded:
      return "superseded";
    case ErrorCode::damaged:
      return "damaged";
    case ErrorCode::closed:
      return "closed";
  }
  return "unknown";
}

}  // namespace tiercel
