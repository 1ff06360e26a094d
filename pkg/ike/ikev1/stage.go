package ikev1

import "github.com/goipsec/goipsec/pkg/ike/isakmp"

// staged says in a failure how far main mode had come: up to the keys of message 4 the peers agree on methods, from message 5 on they prove who
// they are.
func (s *mainMode) staged(f isakmp.Failure) isakmp.Failure {
	if f.Stage != "" {
		return f
	}
	f.Stage = isakmp.StageMainMode
	if s.run.At >= stepProofI {
		f.Stage = isakmp.StageAuthentication
	}
	return f
}

// inStage is f, which happened in that stage unless it says another.
func inStage(f isakmp.Failure, stage isakmp.Stage) isakmp.Failure {
	if f.Stage == "" {
		f.Stage = stage
	}
	return f
}
